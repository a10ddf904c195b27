"""`promote` and `roll_back`: which version of a model its name stands for; nothing is overwritten."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import BrokenModelError, ModelNotFoundError, UnreadableFileError
from napari_bioseg.core.files import file_sha256
from napari_bioseg.core.job import Job
from napari_bioseg.models.card import CARD_FILE, Card, Lineage, check_weights, read_card
from napari_bioseg.models.versions import Family
from napari_bioseg.models.zoo import changing_family, find_family, find_model
from napari_bioseg.runs.register import RECIPE
from napari_bioseg.workflows.comparison_result import FILE
from napari_bioseg.workflows.readme import readme


@dataclass(frozen=True)
class VersionInfo:
    """A version of a model, in words.

    Attributes
    ----------
    version : int
    champion : bool
        Whether the bare name stands for it.
    created : str
        When it came into the zoo, UTC; empty where the history does not say.
    parent : str
        Model that its training went on from, or that it is a copy of, and the version of that.
    scores : str
        Its measured scores in one line.
    verdict : str
        What the comparison with its parent said; empty where there was none.
    path : Path
        Its model folder.
    """

    version: int
    champion: bool
    created: str
    parent: str
    scores: str
    verdict: str
    path: Path


def promote(
    model: str | Path, family: str, *, comparison: Mapping[str, Any] | None = None, job: Job | None = None
) -> Card:
    """Copy a model into the user's zoo as the next version of a family, and make it the champion.

    Where the family is new, the model that has had its name so far, and the model that the training went on from, are
    its first versions. A model whose weights are in the family already becomes the champion and is not copied again.

    Parameters
    ----------
    model : str or Path
        Folder of a model or of a run, or a model of the zoo.
    family : str
        Name that stands for it from now on.
    comparison : mapping, optional
        With its parent, as of `Comparison.as_dict`: all but rows and regions goes on the card. None: that of the run.
    job : Job, optional

    Returns
    -------
    Card
        Of the new version, with its lineage.

    Raises
    ------
    ModelNotFoundError, BrokenModelError
        There is no such model, or it cannot be loaded.
    RecipeError
        No model may be called `family`.
    UnwritableFileError
        The zoo cannot be written.
    UnreadableFileError
        The comparison of the run is damaged.
    """
    from napari_bioseg.models.model import read_model

    job = job or Job()
    folder = find_trained(model)
    job.stage(f"Promoting {folder.name}")
    card = read_model(folder).card
    parent = _parent(card, job)
    lineage = card.lineage or _lineage(card, folder.parent, parent, comparison)
    job.check()
    with changing_family(family, parent) as found:
        known = found.with_weights_of(folder)
        if known is None:
            return found.add(folder, "promoted", lineage=lineage, readme=readme, champion=True)
        job.note(f"{family} has these weights already: version {known} is the champion now")
        found.choose(known, "promoted")
        return read_card(found.version(known))


def roll_back(family: str, version: int | None = None) -> Card:
    """Make another version the champion; forward as well as back.

    Parameters
    ----------
    family : str
    version : int, optional
        None: the one that was champion before.

    Returns
    -------
    Card
        Of the champion.

    Raises
    ------
    ModelNotFoundError
        There is no such family or version.
    BrokenModelError
        The version is damaged; the champion stays.
    UnwritableFileError
        The zoo cannot be written.
    """
    find_family(family)
    with changing_family(family) as found:
        number = found.champion_before() if version is None else version
        card = read_card(found.version(number))
        check_weights(found.version(number), card)
        found.choose(number)
    return card


def versions(family: str) -> tuple[VersionInfo, ...]:
    """Return the versions of a model of the user's zoo, the oldest first.

    Raises
    ------
    ModelNotFoundError
        There is no such model, or it has no versions.
    """
    found = find_family(family)
    created = {event.version: event.time for event in reversed(found.history())}  # the first of each stays
    leader = _champion(found)
    return tuple(_info(found, n, leader == n, created.get(n, "")) for n in found.versions)


def find_trained(model: str | Path) -> Path:
    """Return the folder of a model given by its name or path, or by the folder of the run that made it.

    Raises
    ------
    ModelNotFoundError
        There is no such model, or the run has not come to its end.
    """
    run = Path(model)
    if not (run / RECIPE).is_file():
        return find_model(model)
    made = sorted(f for f in run.iterdir() if (f / CARD_FILE).is_file())
    if len(made) != 1:
        fix = f"Go on with it: bioseg train --resume {run}" if not made else "Give the folder of the model"
        raise ModelNotFoundError(str(run), f"holds {len(made) or 'no'} models", fix)
    return made[0]


def _champion(family: Family) -> int | None:
    try:
        return family.champion
    except BrokenModelError:  # its versions are still to be seen, so that one can be chosen
        return None


def _info(family: Family, number: int, champion: bool, created: str) -> VersionInfo:
    path = family.version(number)
    try:
        card = read_card(path)
    except BrokenModelError as error:
        return VersionInfo(number, champion, created, "", error.problem, "", path)
    lineage = card.lineage or Lineage()
    verdict = str(lineage.comparison.get("verdict") or "")
    return VersionInfo(number, champion, created, lineage.origin, card.score_line, verdict, path)


def _parent(card: Card, job: Job) -> Path | None:
    """Return the folder of the model that the training went on from; None where there was none, or it is gone."""
    start = card.recipe.get("continue_from")
    try:
        return find_model(start) if start else None
    except (ModelNotFoundError, BrokenModelError) as error:
        job.note(f"{error.subject}, which {card.name} was made from, {error.problem}: it is no version to go back to")
        return None


def _lineage(card: Card, run: Path, parent: Path | None, comparison: Mapping[str, Any] | None) -> Lineage:
    from napari_bioseg.training.training_set import MANIFEST  # it loads torch, as `promote` does

    data = run / MANIFEST
    if comparison is None and (run / FILE).is_file():
        comparison = _read_comparison(run / FILE)
    before = read_card(parent) if parent is not None else None
    return Lineage(
        parent=before.name if before else Path(card.recipe.get("continue_from") or "").name,
        parent_version=before.version if before else "",
        parent_sha256=before.sha256 if before else "",
        run=run.name if (run / RECIPE).is_file() else "",
        data_sha256=file_sha256(data) if data.is_file() else "",
        comparison=_kept(comparison or {}),
    )


def _read_comparison(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFileError(str(path), "is damaged", "Compare again") from error
    return values if isinstance(values, dict) else {}


def _kept(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a comparison goes on a card."""
    words = comparison.get("original") or {}
    kept = {k: comparison[k] for k in ("verdict", "old", "new", "differences") if k in comparison}
    return kept | ({"original": words["words"]} if words else {})
