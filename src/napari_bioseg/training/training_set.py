"""The verified parts of projects, frozen in the run that learns from them.

    RUN/training_set.json              what was taken from each project, with checksums
    RUN/training_set/1-train.npz       labels, what of them is verified, and what a person changed
    RUN/training_set/1-held_out.npz    the same of the planes that are held out

A person may go on correcting meanwhile: a run that is resumed learns from its own copy. Images are not copied.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import RecipeError, UnreadableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.image import Image
from napari_bioseg.corrections.corrected import Corrected
from napari_bioseg.corrections.held_out import Split, Use, read_held_out, split, write_split
from napari_bioseg.corrections.project_info import ImageReference
from napari_bioseg.tasks import IGNORED, map_labels
from napari_bioseg.training.box_parts import BoxPart, CheckedBoxes, take_box_part, unchecked_frames
from napari_bioseg.training.frozen_file import read_frozen, write_frozen
from napari_bioseg.training.open_pairs import data_root, open_checked_pair, open_project_pair, open_referred
from napari_bioseg.training.parts import Part, take_part
from napari_bioseg.training.recipe import Pair, Recipe

MANIFEST, FOLDER = "training_set.json", "training_set"
_ASKED = ("project", "prediction", "use")


class FrozenPair(Pair):
    """What a run learns from a project, or is scored on, as it was when the run began.

    `numbers` are its planes; of boxes to learn from, `unchecked` are frames whose truth is not known.
    """

    reference: ImageReference
    file: Path
    sha256: str
    numbers: tuple[int, ...]
    unchecked: tuple[int, ...] = ()


def freeze(recipe: Recipe, folder: Path) -> Recipe:
    """Copy what is verified in the projects of a recipe to a run, unless the run has it already.

    Parameters
    ----------
    recipe : Recipe
    folder : Path
        Of the run.

    Returns
    -------
    Recipe
        With a `FrozenPair` to train on, to test on or both, in place of each project.

    Raises
    ------
    RecipeError, UnreadableFileError, IncompatibleImageError
        As for `check_project`, or the run was begun with other projects.
    UnwritableFileError
        The run or the project cannot be written.
    """
    pairs = _unfrozen(recipe)
    if pairs and not (folder / MANIFEST).is_file():
        with writing(folder / FOLDER):
            (folder / FOLDER).mkdir(exist_ok=True)
        entries = [_freeze_pair(recipe, pair, folder, i) for i, pair in enumerate(pairs, start=1)]
        # Last: without it, all is made again.
        with writing(folder / MANIFEST), whole_or_nothing(folder / MANIFEST) as part:
            part.write_text(json.dumps({"version": 1, "projects": entries}, indent=1), encoding="utf-8")
    return frozen(recipe, folder)


def frozen(recipe: Recipe, folder: Path) -> Recipe:
    """Return the recipe with what a run has frozen; as it is when the run has nothing.

    Raises
    ------
    RecipeError, UnreadableFileError
        The run was begun with other projects, or its manifest is damaged.
    """
    pairs, entries = _unfrozen(recipe), read_manifest(folder)
    if not pairs or not entries:
        return recipe
    if [e["asked"] for e in entries] != [_asked(p) for p in pairs]:
        raise RecipeError(str(folder), "was begun with other projects than the recipe names", "Begin a new run")
    parts = {id(pair): _frozen_pairs(pair, entry, folder) for pair, entry in zip(pairs, entries, strict=True)}
    found = [p for pair in recipe.pairs for p in parts.get(id(pair), [pair])]
    return recipe.model_copy(update={"pairs": tuple(found)})


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """Return what a run says of each project that it froze; nothing when it froze none.

    Raises
    ------
    UnreadableFileError
        The manifest is damaged.
    """
    path = folder / MANIFEST
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["projects"]) if path.is_file() else []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(str(path), "is damaged", "Begin a new run") from error


def check_project(recipe: Recipe, pair: Pair) -> None:
    """Look at all that a project must have for its use; nothing is written.

    Raises
    ------
    RecipeError
        Nothing is verified, nothing is left to train or to test on, or labels hold what is no class.
    UnreadableFileError, IncompatibleImageError
        As for `open_project_pair`.
    """
    _, corrected = _open(recipe, pair)
    before = read_held_out(data_root(recipe) / str(pair.project))
    found = _checked(pair, corrected, lambda verified: split(before, verified, _use(pair)))
    for planes in (found.train, found.test):
        part = _take(corrected, planes)
        if isinstance(part, Part):
            _classes(recipe, pair, part)


def open_frozen(recipe: Recipe, pair: FrozenPair) -> tuple[Image, npt.NDArray[np.int16], npt.NDArray[np.float32]]:
    """Open the image of a frozen pair lazily, with its classes and weights.

    Returns
    -------
    image : Image
        Its planes of the pair alone, where the model sees each plane by itself; else all of it.
    target : ndarray
        Int16, along the axes of the image, -1 where it is not verified.
    weight : ndarray
        Float32, of the same shape: 0 where the target is -1, `recipe.corrected_weight` where a person changed the
        labels, else 1.

    Raises
    ------
    UnreadableFileError, IncompatibleImageError
        The image is gone or another, or the copy of the labels is damaged.
    RecipeError
        The labels hold what is no class.
    """
    part = read_frozen(Part, pair.file, pair.sha256)
    image = open_referred(pair.reference)
    known = _classes(recipe, pair, part)
    weight = np.where(known == IGNORED, 0, np.where(part.changed, recipe.corrected_weight, 1)).astype(np.float32)
    alone = recipe.input.axes == "YX" and recipe.input.normalisation.scope == "plane"
    if len(image.shape) == 2:
        return image, known[0], weight[0]
    if alone:
        return replace(image, levels=(image.data[part.planes],), level_scales=(), labels=()), known, weight
    target, weights = np.full(image.shape, IGNORED, np.int16), np.zeros(image.shape, np.float32)
    target[part.planes], weights[part.planes] = known, weight
    return image, target, weights


def open_frozen_boxes(pair: FrozenPair) -> tuple[Image, Boxes]:
    """Open the planes of a frozen pair lazily, with the boxes in them.

    Raises
    ------
    UnreadableFileError, IncompatibleImageError
        The image is gone or another, or the copy of the boxes is damaged.
    """
    part = read_frozen(BoxPart, pair.file, pair.sha256)
    image = _frames(pair, part.planes.tolist())
    return image, part.boxes(image.axes)


def open_unchecked(pair: FrozenPair) -> Image:
    """Open the unchecked frames of a frozen pair lazily; errors as of `open_frozen_boxes`."""
    return _frames(pair, pair.unchecked)


def _frames(pair: FrozenPair, numbers: Sequence[int]) -> Image:
    image = open_referred(pair.reference)
    if len(image.shape) == 2:
        return image
    return replace(image, levels=(image.data[list(numbers)],), level_scales=(), labels=())


def _open(recipe: Recipe, pair: Pair) -> tuple[ImageReference, Corrected | CheckedBoxes]:
    opener = open_checked_pair if recipe.task == "detection" else open_project_pair
    _, reference, corrected = opener(recipe, pair)
    return reference, corrected


def _take(corrected: Corrected | CheckedBoxes, planes: tuple[int, ...]) -> Part | BoxPart:
    return take_part(corrected, planes) if isinstance(corrected, Corrected) else take_box_part(corrected, planes)


def _freeze_pair(recipe: Recipe, pair: Pair, folder: Path, number: int) -> dict[str, Any]:
    """Write the parts of one project, and return its entry in the manifest."""
    project = data_root(recipe) / str(pair.project)
    reference, corrected = _open(recipe, pair)
    found = _checked(pair, corrected, lambda verified: write_split(project, verified, _use(pair)))
    entry: dict[str, Any] = {
        "asked": _asked(pair),
        "image": reference.model_dump(mode="json"),
        "prediction": corrected.saved.id,
        "records": corrected.records,
        "verified": [{"plane": list(p), "boxes": r} for p, r in corrected.verified.rectangles().items()],
        "note": f"{pair.name}: {found.note}",
    }
    if isinstance(corrected, CheckedBoxes):
        entry["unchecked"] = unchecked_frames(corrected, found.held_out.planes)
    for name, planes in (("train", found.train), ("held_out", found.test)):
        file = f"{FOLDER}/{number}-{name}.npz"
        entry[name] = _keep(_take(corrected, planes), folder, file) if planes else None
    return entry


def _keep(part: Part | BoxPart, folder: Path, file: str) -> dict[str, Any]:
    write_frozen(part, folder / file)
    if isinstance(part, Part):
        counts = {"pixels": int(part.verified.sum()), "changed": int(part.changed.sum())}
    else:
        counts = {"boxes": len(part.plane), "changed": int(part.hand.sum())}
    return {"file": file, "planes": part.planes.tolist(), **counts, "sha256": part.sha256}


def _checked(pair: Pair, corrected: Corrected | CheckedBoxes, decide: Callable[[Sequence[int]], Split]) -> Split:
    planes = [plane[0] if plane else 0 for plane in corrected.verified.planes()]
    if not planes:
        problem = f"nothing of {corrected.saved.id} is verified"
        raise RecipeError(pair.name, problem, "Press V on a slice that is right")
    found = decide(planes)
    if pair.use == "test" and not found.test:
        problem = "all that is verified was trained on before, or lies beside it"
        raise RecipeError(pair.name, problem, "Verify slices further away")
    if pair.use != "test" and not found.train:
        raise RecipeError(pair.name, "all that is verified is held out, or lies beside it", "Verify more slices")
    return found


def _classes(recipe: Recipe, pair: Pair, part: Part) -> npt.NDArray[np.int16]:
    """Return the classes of the planes of a part, -1 where they are not verified; what lies there is not looked at."""
    target = np.full(part.labels.shape, IGNORED, np.int16)
    values = part.labels[part.verified]
    target[part.verified] = map_labels(values, recipe.values_of(pair), len(recipe.classes), pair.name)
    if part.planes.size and not (target != IGNORED).any():
        problem = "no verified pixel has a value that label_values names"
        raise RecipeError(pair.name, problem, "Give the pair label_values of its own, e.g. {} for classes as they are")
    return target


def _frozen_pairs(pair: Pair, entry: dict[str, Any], folder: Path) -> list[FrozenPair]:
    given = pair.model_dump(exclude={"use"})
    return [
        FrozenPair(
            **given,
            use=use,
            reference=ImageReference(**entry["image"]),
            file=folder / entry[name]["file"],
            sha256=entry[name]["sha256"],
            numbers=tuple(entry[name]["planes"]),
            # Runs of labels have none, nor do those of boxes that were begun by an earlier version.
            unchecked=tuple(entry.get("unchecked", ())) if use == "train" else (),
        )
        for name, use in (("train", "train"), ("held_out", "test"))
        if entry[name]
    ]


def _unfrozen(recipe: Recipe) -> list[Pair]:
    return [pair for pair in recipe.pairs if pair.project and not isinstance(pair, FrozenPair)]


def _use(pair: Pair) -> Use:
    return cast(Use, pair.use)  # a project is never used as val, `Pair` sees to that


def _asked(pair: Pair) -> dict[str, Any]:
    return pair.model_dump(mode="json", include=set(_ASKED))
