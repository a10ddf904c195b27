"""The files and projects of a recipe, opened and checked against each other."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import IncompatibleImageError, RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.corrections.corrected import Corrected, find_corrected, read_corrected
from napari_bioseg.corrections.project import BOXES, read_project
from napari_bioseg.corrections.project_info import ImageReference
from napari_bioseg.io import open_image
from napari_bioseg.io.coco import is_coco, read_coco_labels
from napari_bioseg.io.image_boxes import read_image_boxes
from napari_bioseg.training.box_parts import CheckedBoxes, read_checked
from napari_bioseg.training.recipe import Pair, Recipe


def data_root(recipe: Recipe) -> Path:
    """Return the folder of the data: the recipe's, unless that is the default and ``BIOSEG_DATA`` is set."""
    default = Recipe.model_fields["root"].default
    return Path(os.environ.get("BIOSEG_DATA", recipe.root) if recipe.root == default else recipe.root)


def truth_name(recipe: Recipe, pair: Pair) -> str:
    """Return the file that the task of the recipe learns from, as the recipe names it: boxes or labels.

    Raises
    ------
    RecipeError
        The pair has none, or what another task learns from.
    """
    wanted, other = ("boxes", "label") if recipe.task == "detection" else ("label", "boxes")
    file, wrong = getattr(pair, wanted), getattr(pair, other)
    if wrong is not None:
        problem = f"has {other}: {wrong}, from which {recipe.task} models do not learn"
        raise RecipeError(pair.image, problem, f"Give {wanted}: FILE instead, or change the task")
    if file is None:
        raise RecipeError(pair.image, f"has nothing to learn from in a recipe for {recipe.task}", f"Add {wanted}: FILE")
    return str(file)


def open_pair(recipe: Recipe, pair: Pair) -> tuple[Image, Image]:
    """Open an image and its labels lazily.

    Raises
    ------
    IncompatibleImageError
        They have different shapes, or are neither YX nor ZYX.
    RecipeError
        The planes do not lie in the image, or the pair has no labels.
    UnreadableFileError
        A file is not as it should be.
    """
    path, image = data_root(recipe) / truth_name(recipe, pair), open_one(recipe, pair)
    if is_coco(path):
        # Objects are told apart as long as they are of one class.
        return image, read_coco_labels(path, image, categories=pair.categories, objects=len(recipe.classes) == 1)
    label = open_image(path, axes=pair.axes)
    if image.shape != label.shape:
        problem = f"has shape {image.shape}, its labels {label.shape}"
        raise IncompatibleImageError(pair.image, problem, "Pair each image with labels of the same shape")
    return image, label


def open_one(recipe: Recipe, pair: Pair) -> Image:
    """Open the image of a pair whose labels are not asked for, lazily.

    Raises
    ------
    IncompatibleImageError
        It is neither YX nor ZYX.
    RecipeError
        The planes do not lie in it.
    """
    image = open_image(data_root(recipe) / pair.image, axes=pair.axes)
    if len(image.shape) not in (2, 3):
        raise IncompatibleImageError(pair.image, f"has axes {image.axes}", "Training takes YX and ZYX images")
    _check_planes(pair, image)
    return image


def open_project_pair(recipe: Recipe, pair: Pair) -> tuple[Image, ImageReference, Corrected]:
    """Open the image of a project lazily, and make its corrected labels in memory; nothing is locked.

    The labels must hold what the model learns: numbered objects do only where it has one class, or where
    `label_values` says which class each number is.

    Returns
    -------
    image : Image
    reference : ImageReference
        How it is opened again: `absolute` is where it is now, `shape` that of the labels.
    corrected : Corrected

    Raises
    ------
    UnreadableFileError
        The project, its labels or its image are gone or damaged.
    IncompatibleImageError
        Image and labels have different shapes, or are neither YX nor a stack of such planes.
    RecipeError
        Objects are numbered where classes are wanted.
    """
    project = read_project(data_root(recipe) / str(pair.project))
    saved = find_corrected(project, pair.prediction)
    if saved.info.instances and len(recipe.classes) > 1 and not recipe.values_of(pair):
        problem = f"{saved.id} numbers objects, the model has {len(recipe.classes)} classes"
        raise RecipeError(pair.name, problem, "Tell by label_values which class each number is")
    corrected = read_corrected(saved)
    now = {"absolute": str(project.image()), "shape": corrected.labels.shape}
    reference = project.info.image.model_copy(update=now)
    return open_referred(reference), reference, corrected


def open_checked_pair(recipe: Recipe, pair: Pair) -> tuple[Image, ImageReference, CheckedBoxes]:
    """Open the image of a project lazily, and read its boxes as a person left them; nothing is locked.

    Raises
    ------
    UnreadableFileError
        The project, its boxes or its image are gone or damaged.
    IncompatibleImageError
        The image has another shape than that in which they were found, or is neither YX nor a stack of such planes.
    """
    project = read_project(data_root(recipe) / str(pair.project))
    checked = read_checked(find_corrected(project, pair.prediction, BOXES))
    now = {"absolute": str(project.image()), "shape": checked.shape}
    reference = project.info.image.model_copy(update=now)
    return open_referred(reference), reference, checked


def open_referred(reference: ImageReference) -> Image:
    """Open the image of a project, which must have the shape of its labels.

    Raises
    ------
    IncompatibleImageError, UnreadableFileError
        As for `open_project_pair`.
    """
    image = open_image(reference.absolute, axes=reference.axes, series=reference.series)
    if image.shape != reference.shape:
        problem = f"has shape {image.shape}, the labels of its project {reference.shape}"
        raise IncompatibleImageError(reference.absolute, problem, "Put back the image that was corrected")
    if len(image.shape) not in (2, 3):
        raise IncompatibleImageError(reference.absolute, f"has axes {image.axes}", "Training takes YX and ZYX images")
    return image


def open_box_pair(recipe: Recipe, pair: Pair) -> tuple[Image, Boxes]:
    """Open an image lazily, and read its boxes: those in the planes of the pair, counted from the first of them.

    Raises
    ------
    IncompatibleImageError
        A box does not lie in the image, or this has other axes than T, Z, Y and X.
    RecipeError
        The planes do not lie in the image, or the pair has no boxes.
    UnreadableFileError
        The file of boxes is not as it should be, or holds none.
    """
    file = truth_name(recipe, pair)
    image = open_image(data_root(recipe) / pair.image, axes=pair.axes)
    if image.axes not in {"YX", "TYX", "ZYX", "TZYX"}:
        problem, fix = f"has axes {image.axes}", "Training on boxes takes YX, TYX, ZYX and TZYX images"
        raise IncompatibleImageError(pair.image, problem, fix)
    _check_planes(pair, image)
    boxes = read_image_boxes(data_root(recipe) / file, image)
    if pair.planes is None or image.axes == "YX":
        return image, boxes
    first, last = pair.planes
    name = "z" if "Z" in image.axes else "frame"
    place = getattr(boxes, name)
    kept = (place >= first) & (place < last)
    return image, replace(boxes[kept], **{name: place[kept] - first})


def _check_planes(pair: Pair, image: Image) -> None:
    depth = (1, *image.shape)[-3]
    if pair.planes is not None and not 0 <= pair.planes[0] < pair.planes[1] <= depth:
        raise RecipeError(f"planes {list(pair.planes)}", f"do not lie in the {depth} of {pair.image}", "Count from 0")
