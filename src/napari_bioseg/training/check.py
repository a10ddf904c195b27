"""What can be known to be wrong about a recipe before hours of training."""

from __future__ import annotations

import numpy as np
import torch

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.models.network import Network
from napari_bioseg.models.pixel_size import model_pixels
from napari_bioseg.tasks import TASKS, check_losses, check_metrics, weighted_loss
from napari_bioseg.tasks.detection import SIDES
from napari_bioseg.training.kinds import kind_of, open_kind
from napari_bioseg.training.loop import first_network
from napari_bioseg.training.network_runs import parts
from napari_bioseg.training.open_pairs import open_box_pair, open_one, open_pair, truth_name
from napari_bioseg.training.pairs import pair_target, pixel_sizes
from napari_bioseg.training.recipe import Pair, Recipe
from napari_bioseg.training.start import old_model
from napari_bioseg.training.training_set import FrozenPair, check_project, open_frozen, open_frozen_boxes


def check_recipe(recipe: Recipe) -> None:
    """Look at all that a training needs: names, network, files and the values of the labels or the boxes.

    Raises
    ------
    RecipeError, UnreadableFileError, UnknownAxesError, IncompatibleImageError, ModelNotFoundError, BrokenModelError
        The first thing that is wrong.
    """
    check_metrics(recipe.task, recipe.metrics)
    check_metrics(recipe.task, (recipe.select_on,), chosen_by=True)
    check_losses(recipe.task, recipe.losses)
    weighted_loss(recipe.losses)
    for part in (*(recipe.without_fold(fold) for fold in recipe.folds), recipe):
        if {"train", "auto"}.isdisjoint(part.uses):
            raise RecipeError(recipe.name, "has no pair for train", "Mark some pairs with this use")
    old = old_model(recipe)
    for network in parts(recipe):
        check_network(network, first_network(network, old))
    for spec in recipe.simulated if recipe.task == "classification" else ():
        kind_of(recipe, spec)
    for pair in recipe.pairs:
        _check_pair(recipe, pair)


def _check_pair(recipe: Recipe, pair: Pair) -> None:
    if isinstance(pair, FrozenPair):
        open_frozen_boxes(pair) if recipe.task == "detection" else open_frozen(recipe, pair)
    elif recipe.task == "classification":
        open_kind(recipe, pair)
    elif pair.project:
        check_project(recipe, pair)
    elif recipe.task == "detection":
        check_boxes(recipe, pair)
    elif pair.use == "replay":
        open_one(recipe, pair)
    else:
        pair_target(recipe, pair, open_pair(recipe, pair)[1])


def check_boxes(recipe: Recipe, pair: Pair) -> None:
    """Refuse boxes that do not lie in their image, or of which the network could tell none.

    Raises
    ------
    RecipeError, UnreadableFileError, IncompatibleImageError
        As said.
    """
    image, boxes = open_box_pair(recipe, pair)
    factors, _ = model_pixels(recipe.input, pixel_sizes(image))
    sides = boxes.size / factors[-2:]
    least, largest = SIDES
    beyond = ((sides < least) | (sides > largest)).any(axis=1)
    if len(sides) and bool(np.all(beyond)):
        told = f"the detector tells {least:g} to {largest:g}"
        problem = f"has only boxes with sides of {sides.min():.3g} to {sides.max():.3g} pixels; {told}"
        raise RecipeError(
            truth_name(recipe, pair), problem, "Set input.pixel_size, so that images are resampled to fit"
        )


def check_network(recipe: Recipe, network: Network) -> None:
    """Refuse a network that cannot take the patches, or has not the outputs that the classes need.

    Raises
    ------
    RecipeError
        As said.
    """
    stride, name = network.stride, f"architecture {recipe.architecture.name!r}"
    if recipe.output.applied:
        raise RecipeError("output.applied", "is of networks that are not trained here", "Leave it out")
    if not list(network.parameters()):
        raise RecipeError(name, "cannot be trained: its weights are part of a file", "Choose another architecture")
    if recipe.adjust_logits and not network.head_name:
        raise RecipeError(name, "has no last layer whose logits could be shifted", "Leave out adjust_logits")
    if len(stride) != len(recipe.patch):
        raise RecipeError(name, f"has {len(stride)} axes, the input {recipe.input.axes}", "Make them the same")
    if any(side % step for side, step in zip(recipe.patch, stride, strict=True)):
        problem = f"is not a multiple of {list(stride)}, by which the network pools"
        raise RecipeError(f"patch {list(recipe.patch)}", problem, "Choose such sides")
    try:
        with torch.inference_mode():
            found = network.eval()(torch.zeros(1, 1, *stride)).shape[1]
    except RuntimeError as error:
        problem = f"cannot take an image of one channel ({str(error).splitlines()[0]})"
        raise RecipeError(name, problem, "Leave its in_channels at 1") from error
    output, values = recipe.output, tuple(c.value for c in recipe.classes)
    wanted = TASKS.get(recipe.task).channels(values, output.activation, output.cores > 0)
    if found != wanted:
        problem = f"gives {found} channels; {len(recipe.classes)} classes with {output.activation} need {wanted}"
        raise RecipeError(name, problem, f"Set out_channels to {wanted}, or mend the classes")
