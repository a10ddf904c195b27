"""A recipe's mistakes are told before the training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core import IncompatibleImageError, ModelNotFoundError, RecipeError, UnreadableFileError
from napari_bioseg.training.check import check_recipe
from napari_bioseg.training.recipe import Recipe

MakeRecipe = Callable[..., Recipe]


def test_a_good_recipe_passes(make_recipe: MakeRecipe) -> None:
    check_recipe(make_recipe())
    check_recipe(make_recipe(folds=[["a"], ["b"]]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "semantik"}, "semantik"),
        ({"losses": {"dise": 1}}, "dise"),
        ({"metrics": ["dice", "map50"]}, "map50"),
        ({"select_on": "f1"}, "f1"),
        ({"patch": [33, 32]}, "multiple"),
        ({"architecture": {"name": "yolo"}}, "5 channels"),
        ({"architecture": {"name": "unit"}}, "unit"),
        ({"architecture": {"name": "unet", "arguments": {"width": [4, 8]}}}, "width"),
        ({"architecture": {"name": "unet", "arguments": {"dims": 4}}}, "KeyError"),
        ({"architecture": {"name": "unet", "arguments": {"dims": 3}}}, "3 axes"),
        ({"architecture": {"name": "unet", "arguments": {"in_channels": 2, "widths": [4, 8]}}}, "one channel"),
        ({"output": {"activation": "softmax"}}, "need 2"),
        ({"label_values": {0: 0, 255: 2}}, "a-label"),
        ({"folds": [["a"], ["a", "b", "c"]]}, "no pair for train"),
    ],
)
def test_what_does_not_fit_is_named(make_recipe: MakeRecipe, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        check_recipe(make_recipe(**changes))


def test_a_model_to_begin_with_must_exist(make_recipe: MakeRecipe) -> None:
    with pytest.raises(ModelNotFoundError):
        check_recipe(make_recipe(continue_from="nobody"))


# The last pair is for testing: nobody would look at it before all the training is done.
def test_files_of_every_use_are_opened(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe()
    label = Path(recipe.root) / "c-label.tif"
    label.unlink()
    with pytest.raises(UnreadableFileError, match="c-label"):
        check_recipe(recipe)
    tifffile.imwrite(label, np.zeros((4, 48, 47), np.uint8))
    with pytest.raises(IncompatibleImageError, match="47"):
        check_recipe(recipe)


def test_planes_must_lie_in_the_image(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe()
    pair = recipe.pairs[0].model_copy(update={"planes": (2, 9)})
    with pytest.raises(RecipeError, match=r"\[2, 9\]"):
        check_recipe(recipe.model_copy(update={"pairs": (pair,)}))
