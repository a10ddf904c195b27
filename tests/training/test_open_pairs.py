"""Images are opened with what their task learns from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core import IncompatibleImageError, RecipeError
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.io.boxes import read_boxes_csv, write_boxes_csv
from napari_bioseg.training.open_pairs import data_root, open_box_pair, truth_name
from napari_bioseg.training.recipe import Pair, Recipe

MakeRecipe = Callable[..., Recipe]


@pytest.mark.parametrize(
    ("task", "files", "said"),
    [
        ("detection", {"label": "a.tif"}, "label: a.tif, from which detection"),
        ("semantic", {"boxes": "a.csv"}, "boxes: a.csv, from which semantic"),
        ("detection", {"boxes": "a.csv", "label": "a.tif"}, "Give boxes: FILE instead"),
        ("detection", {}, "Add boxes: FILE"),
        ("semantic", {}, "Add label: FILE"),
    ],
)
def test_a_task_learns_from_one_kind_of_truth(
    make_box_recipe: MakeRecipe, task: str, files: dict[str, str], said: str
) -> None:
    pair = Pair(image="i.tif", group="g", **files)
    with pytest.raises(RecipeError, match=rf"i\.tif: .*{said}"):
        truth_name(make_box_recipe(task=task), pair)


def test_planes_keep_their_boxes_counted_from_the_first(make_box_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe = make_box_recipe()
    pair = recipe.pairs[0].model_copy(update={"planes": (1, 3)})
    image, boxes = open_box_pair(recipe, pair)
    written = read_boxes_csv(tmp_path / "a.csv")
    assert image.shape == (3, 48, 64)
    assert np.array_equal(boxes.centre, written.centre[written.frame == 1])
    assert set(boxes.frame.tolist()) == {0}
    write_boxes_csv(tmp_path / "a.csv", Boxes.of(written.centre, written.size, z=written.frame))
    _, boxes = open_box_pair(recipe, pair.model_copy(update={"axes": "ZYX"}))
    assert set(boxes.z.tolist()) == {0}
    assert len(boxes) == 3


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"planes": (2, 9)}, RecipeError, r"\[2, 9\]"),
        ({"axes": "CYX"}, IncompatibleImageError, "axes CYX"),
        ({"axes": "ZYX"}, IncompatibleImageError, "frame 1"),
    ],
)
def test_what_does_not_fit_is_named(
    make_box_recipe: MakeRecipe, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    recipe = make_box_recipe()
    with pytest.raises(error, match=said):
        open_box_pair(recipe, recipe.pairs[0].model_copy(update=changes))


def test_one_plane_takes_yolo_text(make_box_recipe: MakeRecipe, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "one.tif", np.zeros((40, 60), np.uint8))
    (tmp_path / "one.txt").write_text("0 0.5 0.5 0.1 0.1\n", encoding="utf-8")
    pair = Pair(image="one.tif", boxes="one.txt", group="g", planes=(0, 1))
    _, boxes = open_box_pair(make_box_recipe(), pair)
    assert boxes.centre.tolist() == [[19.5, 29.5]]


def test_the_folder_of_the_data_may_come_from_outside(
    make_box_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BIOSEG_DATA", "/elsewhere")
    recipe = make_box_recipe()
    assert data_root(recipe) == tmp_path
    assert data_root(make_box_recipe(root=Recipe.model_fields["root"].default)) == Path("/elsewhere")
