"""Images are opened with what their task learns from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core import IncompatibleImageError, RecipeError
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.io.boxes import read_boxes_csv, write_boxes_csv
from napari_bioseg.models.card import OutputSpec
from napari_bioseg.training.open_pairs import data_root, open_box_pair, truth_name
from napari_bioseg.training.pairs import load_samples
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


def test_labels_may_be_those_of_a_coco_file(make_box_recipe: MakeRecipe, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "one.tif", np.zeros((40, 60), np.uint8))
    square = {"image_id": 1, "segmentation": [[2, 2, 12, 2, 12, 12, 2, 12]]}
    beside = {"image_id": 1, "segmentation": [[12, 2, 22, 2, 22, 12, 12, 12]]}
    content = {
        "images": [{"id": 1, "file_name": "one.tif", "height": 40, "width": 60}],
        "categories": [{"id": 1, "name": "cell"}, {"id": 2, "name": "dirt"}],
        "annotations": [{"id": 1, "category_id": 2, **beside}, {"id": 2, "category_id": 1, **square}],
    }
    (tmp_path / "c.json").write_text(json.dumps(content), encoding="utf-8")
    pair = Pair(image="one.tif", label="c.json", group="g")
    recipe = make_box_recipe(task="semantic", pairs=[pair.model_dump()])
    (sample,) = load_samples(recipe, ("train",))
    assert np.unique(sample.labels).tolist() == [0, 1]
    assert int((sample.labels == 1).sum()) == 200
    chosen = recipe.model_copy(update={"pairs": (pair.model_copy(update={"categories": ("dirt",)}),)})
    assert int((load_samples(chosen, ("train",))[0].labels == 1).sum()) == 100
    # Objects are told apart, or their cores would run together.
    cores = recipe.model_copy(update={"output": OutputSpec(cores=0.5)})
    (sample,) = load_samples(cores, ("train",))
    assert sample.labels[0, 7, [2, 6, 11, 12, 17, 21]].tolist() == [1, 2, 1, 1, 2, 1]
    two = recipe.model_copy(update={"classes": tuple(ClassInfo(value=v, name=str(v)) for v in (1, 2))})
    assert load_samples(two, ("train",))[0].labels[0, 7, [0, 7, 17]].tolist() == [0, 1, 2]
