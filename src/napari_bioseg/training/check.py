"""What can be known to be wrong about a recipe before hours of training."""

from __future__ import annotations

import torch

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.models.network import Network
from napari_bioseg.tasks import TASKS, check_metrics, weighted_loss
from napari_bioseg.training.loop import first_network
from napari_bioseg.training.pairs import open_pair, pair_target
from napari_bioseg.training.recipe import Recipe


def check_recipe(recipe: Recipe) -> None:
    """Look at all that a training needs: names, network, files and the values of the labels.

    Raises
    ------
    RecipeError, UnreadableFileError, UnknownAxesError, IncompatibleImageError, ModelNotFoundError, BrokenModelError
        The first thing that is wrong.
    """
    check_metrics(recipe.task, (recipe.select_on, *recipe.metrics))
    weighted_loss(recipe.losses)
    for part in (*(recipe.without_fold(fold) for fold in recipe.folds), recipe):
        if "train" not in {*(p.use for p in part.pairs), *(s.use for s in part.simulated)}:
            raise RecipeError(recipe.name, "has no pair for train", "Mark some pairs with this use")
    check_network(recipe, first_network(recipe))
    for pair in recipe.pairs:
        _, label = open_pair(recipe, pair)
        pair_target(recipe, pair, label)


def check_network(recipe: Recipe, network: Network) -> None:
    """Refuse a network that cannot take the patches, or has not the outputs that the classes need.

    Raises
    ------
    RecipeError
        As said.
    """
    stride, name = network.stride, f"architecture {recipe.architecture.name!r}"
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
    wanted = TASKS.get(recipe.task).channels(tuple(c.value for c in recipe.classes), recipe.output.activation)
    if found != wanted:
        problem = f"gives {found} channels; {len(recipe.classes)} classes with {recipe.output.activation} need {wanted}"
        raise RecipeError(name, problem, f"Set out_channels to {wanted}, or mend the classes")
