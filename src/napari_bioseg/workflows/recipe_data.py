"""What a recipe names, opened through the readers that users run: to score on it, and to describe it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.models.card import Card
from napari_bioseg.tasks import map_labels
from napari_bioseg.training.open_pairs import open_box_pair, open_pair, truth_name
from napari_bioseg.training.pairs import simulate_pairs
from napari_bioseg.training.recipe import CardText, Pair, Recipe, Simulated
from napari_bioseg.training.training_set import FrozenPair, open_frozen, open_frozen_boxes
from napari_bioseg.workflows.evaluation import take_planes

Truth = npt.NDArray[np.int16] | Boxes


def recipe_on_card(card: Card) -> Recipe:
    """Return the recipe that made a model, as its card tells it.

    Raises
    ------
    RecipeError
        The card has none, or one of another version.
    """
    text = {name: getattr(card, name) for name in CardText.model_fields}
    return Recipe.checked({**card.recipe, "name": card.name, "card": text}, card.name)


def load_pair(recipe: Recipe, pair: Pair) -> tuple[Image, Truth]:
    """Open the image of a pair, its planes alone, with its classes (-1 where they are not known) or boxes.

    Raises
    ------
    UnreadableFileError, IncompatibleImageError, RecipeError
        The pair is not as it should be.
    """
    if recipe.task == "detection" and isinstance(pair, FrozenPair):
        return open_frozen_boxes(pair)
    if recipe.task == "detection":
        image, boxes = open_box_pair(recipe, pair)
        return take_planes(image, pair.planes), boxes
    if isinstance(pair, FrozenPair):
        return open_frozen(recipe, pair)[:2]
    image, label = (take_planes(image, pair.planes) for image in open_pair(recipe, pair))
    file = truth_name(recipe, pair)
    return image, map_labels(np.asarray(label.data), recipe.values_of(pair), len(recipe.classes), file)


def load_val(recipe: Recipe) -> list[tuple[Image, Any]]:
    """Return what a recipe chooses by, opened: its val pairs, and images that are simulated for that.

    Raises
    ------
    UnreadableFileError, IncompatibleImageError, RecipeError
        A pair is not as it should be.
    """
    val: list[tuple[Image, Any]] = [load_pair(recipe, pair) for pair in recipe.pairs if pair.use == "val"]
    return val + [made for spec in recipe.simulated if spec.use == "val" for made in simulated_images(spec)]


def tested_on(recipe: Recipe) -> Iterator[tuple[Pair, Image, Truth]]:
    """Yield what a recipe tests on, opened: its pairs, and images that are simulated for that.

    Raises
    ------
    UnreadableFileError, IncompatibleImageError, RecipeError
        A pair is not as it should be.
    """
    for pair in (p for p in recipe.pairs if p.use == "test"):
        yield pair, *load_pair(recipe, pair)
    for spec in (s for s in recipe.simulated if s.use == "test"):
        for i, (image, truth) in enumerate(simulated_images(spec)):
            yield Pair(image=f"{spec.generator}/{i}", group=spec.group, planes=(0, image.shape[0])), image, truth


def simulated_images(spec: Simulated) -> Iterator[tuple[Image, Truth]]:
    """Yield the images of one entry of a recipe with their truth.

    Raises
    ------
    RecipeError
        As for `simulate_pairs`.
    """
    for grey, truth in simulate_pairs(spec):
        yield image_from_array(grey, "ZYX", name=f"{spec.generator} {spec.group}"), truth
