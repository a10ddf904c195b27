"""A recipe's mistakes are told before the training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core import BiosegError, IncompatibleImageError, ModelNotFoundError, RecipeError, UnreadableFileError
from napari_bioseg.training.check import check_recipe
from napari_bioseg.training.recipe import Recipe

MakeRecipe = Callable[..., Recipe]
ONNX = {"name": "onnx", "arguments": {"halo": [2, 2], "stride": [1, 1]}}


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
        ({"architecture": ONNX}, "cannot be trained"),
        ({"output": {"activation": "softmax"}}, "need 2"),
        ({"output": {"applied": True}}, "applied"),
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


def test_a_good_detection_recipe_passes(make_box_recipe: MakeRecipe) -> None:
    check_recipe(make_box_recipe())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"losses": {"dice_ce": 1}}, "'dice_ce': is not for detection models.*centres, boxes"),
        ({"metrics": ["dice"]}, "'dice': does not exist for detection"),
        ({"select_on": "dice"}, "'dice': does not exist for detection"),
        ({"select_on": "count_error"}, "'count_error': cannot choose"),
        ({"pairs": [{"image": "a.tif", "label": "a.tif", "axes": "TYX", "group": "a"}]}, "a.tif: has label"),
        ({"pairs": [{"image": "a.tif", "axes": "TYX", "group": "a"}]}, "a.tif: has nothing to learn from"),
        ({"pairs": [{"image": "a.tif", "boxes": "a.csv", "axes": "TYX", "group": "a", "planes": [1, 4]}]}, "planes"),
    ],
)
def test_what_does_not_fit_detection_is_named(make_box_recipe: MakeRecipe, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        check_recipe(make_box_recipe(**changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"losses": {"centres": 1}}, "'centres': is not for semantic models"),
        ({"pairs": [{"image": "a.tif", "boxes": "a.csv", "axes": "ZYX", "group": "a"}]}, "a.tif: has boxes"),
    ],
)
def test_boxes_are_not_for_semantic_recipes(make_recipe: MakeRecipe, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        check_recipe(make_recipe(**changes))


# The last pair is for testing: nobody would look at it before all the training is done.
@pytest.mark.parametrize(
    ("row", "said"),
    [
        (None, r"c\.csv: cannot be read"),
        ("", r"c\.csv: holds no box"),
        ("0,0,ten,10,5,5\n", r"c\.csv: line 2 has 'ten' as y"),
        ("3,0,10,10,5,5\n", r"c\.csv: has a box with frame 3"),
        ("0,1,10,10,5,5\n", r"c\.csv: has a box with z 1"),
        ("0,0,90,10,5,5\n", r"c\.csv: has a box at y 90"),
        ("0,0,20,20,5,70\n1,0,20,20,65,5\n", r"c\.csv: has only boxes with sides of 5 to 70 pixels.*pixel_size"),
    ],
)
def test_boxes_of_every_use_are_looked_at(
    make_box_recipe: MakeRecipe, tmp_path: Path, row: str | None, said: str
) -> None:
    recipe = make_box_recipe()
    path = tmp_path / "c.csv"
    path.unlink()
    if row is not None:
        path.write_text("frame,z,y,x,height,width\n" + row, encoding="utf-8")
    with pytest.raises(BiosegError, match=said) as caught:
        check_recipe(recipe)
    assert "\n" not in str(caught.value)


def test_large_boxes_are_taken_where_the_image_is_shrunk(make_box_recipe: MakeRecipe, tmp_path: Path) -> None:
    pixels = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(tmp_path / "s.ome.tif", np.zeros((99, 99), np.uint8), metadata={"axes": "YX", **pixels})
    (tmp_path / "s.csv").write_text("y,x,height,width\n50,50,70,70\n", encoding="utf-8")
    pairs = [{"image": "s.ome.tif", "boxes": "s.csv", "group": "s"}]
    with pytest.raises(RecipeError, match="70 to 70"):
        check_recipe(make_box_recipe(pairs=pairs))
    check_recipe(make_box_recipe(pairs=pairs, input={"axes": "YX", "pixel_size": {"Y": 0.2, "X": 0.2}}))
