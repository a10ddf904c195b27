"""`pull_model`: from a registry into the user's zoo."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from napari_bioseg.core.files import writing
from napari_bioseg.core.job import Job
from napari_bioseg.models.card import CARD_FILE
from napari_bioseg.models.importing import files_of, import_folder, received_card
from napari_bioseg.models.versions import Family
from napari_bioseg.models.zoo import user_models_folder
from napari_bioseg.runs.mirror import opened
from napari_bioseg.runs.registry import CHAMPION, fetch
from napari_bioseg.runs.server import address


def pull_model(
    name: str,
    version: str = CHAMPION,
    tracking_uri: str | None = None,
    *,
    family: str | None = None,
    job: Job | None = None,
) -> Path:
    """Copy a model from an MLflow registry into the user's zoo, as the next version of a family.

    Three files are taken, checked against each other and loaded; no code of the registry is run. What the family has
    already is not copied again. The champion stays; in a new family, the model that has had the name so far is
    version 1 and its champion.

    Parameters
    ----------
    name : str
        Of the registered model, which `sync` has made.
    version : str
        Its number, or an alias.
    tracking_uri : str, optional
        As for `sync`.
    family : str, optional
        Name in the zoo; none: that in the registry.
    job : Job, optional

    Returns
    -------
    Path
        The folder of the version in the zoo.

    Raises
    ------
    ModelNotFoundError
        There is no such model, or no such version of it.
    BrokenModelError
        It is none of ours, or damaged.
    RecipeError
        No model may be called so, or the address is none.
    MissingDependencyError, ServerError, UnwritableFileError
        As for `sync`.
    """
    job, uri = job or Job(), address(tracking_uri)
    job.stage(f"Taking {name} from {uri}")
    with TemporaryDirectory(prefix="bioseg-") as temporary:
        folder, source = Path(temporary), f"models:/{name}@{version}"
        with opened(uri) as mirror, writing(folder):
            fetch(mirror, name, version, (CARD_FILE,), folder)
            files = files_of(received_card(folder, f"{uri} {source}"))
            fetch(mirror, name, version, [file for file in files if file != CARD_FILE], folder)
        job.check()
        there = Family(user_models_folder() / (family or name))
        known = there.with_weights_of(folder)
        if known is not None:
            job.note(f"{there.name} has these weights already, as version {known}")
            return there.version(known)
        card = import_folder(folder, f"{uri} {source}", family or name)
    return there.version(card.version)
