"""What a fine-tuning brought: on what it held out, and on what the old model was made for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg import metrics, segment
from napari_bioseg.core import RecipeError, UnreadableFileError, image_from_array
from napari_bioseg.models import load_model, read_card
from napari_bioseg.models.card import Card
from napari_bioseg.runs import Run
from napari_bioseg.simulate import sample
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows import compare_run
from napari_bioseg.workflows.comparison_file import read_comparison
from napari_bioseg.workflows.original_data import original_data
from napari_bioseg.workflows.training import train


def squares(seed: int, planes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    truth = np.zeros((planes, 32, 32), bool)
    truth[:, 8:24, 10:28] = True
    return (truth * 120 + np.random.default_rng(seed).integers(0, 60, truth.shape)).astype(np.uint8), truth


@pytest.fixture
def make_recipe(make_project: Callable[..., Path], tiny_zoo: Path, tmp_path: Path) -> Callable[..., Recipe]:
    """Return a recipe that goes on from ``tiny2d`` with what is verified of a project of six planes."""
    make_project("stack", *squares(0), [0, 1, 2, 3, (slice(5, 6), slice(0, 20), slice(0, 32))])

    def make(**changes: Any) -> Recipe:
        values: dict[str, Any] = {
            "name": "squares",
            "card": {"title": "Squares", "summary": "Squares", "licence": "CC0", "data": "made", "split": "by plane"},
            "architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [4, 8]}},
            "continue_from": "tiny2d",
            "input": {"axes": "YX"},
            "classes": [{"value": 1, "name": "square"}],
            "root": str(tmp_path),
            "pairs": [{"project": "stack.tif.bioseg", "use": "auto"}],
            "patch": [32, 32],
            "batch": 2,
            "epochs": 1,
            "steps": 15,
            "learning_rate": 0.02,
            "averaging": 0,
            "output": {"threshold": 0.8},
            "metrics": ["iou", "dice"],
            "device": "cpu",
        }
        return Recipe.checked({**values, **changes}, "test")

    return make


@pytest.fixture
def run(make_recipe: Callable[..., Recipe], tmp_path: Path) -> Path:
    train(make_recipe(), tmp_path / "run")
    return tmp_path / "run"


def test_old_and_new_are_compared_on_what_was_held_out(run: Path, tmp_path: Path) -> None:
    # A person may go on correcting: what was frozen counts.
    shutil.rmtree(tmp_path / "stack.tif.bioseg")
    found = compare_run(run)
    assert (found.old, found.new, found.metrics) == ("tiny2d", "squares", ("iou", "dice"))
    ((row, shown),) = zip(found.rows, found.planes, strict=True)
    assert (row.image, row.plane) == ("stack", (5,))
    assert shown.source == tmp_path / "stack.tif"
    truth = squares(0)[1][5, :20]
    image = image_from_array(tifffile.imread(tmp_path / "stack.tif"), "ZYX")
    for side, model in {"old": "tiny2d", "new": str(run / "squares")}.items():
        labels = np.asarray(segment(image, model=model).labels[5]) > 0
        assert getattr(row, side)["iou"] == pytest.approx(metrics.iou(labels[:20], truth))
        assert np.array_equal(getattr(shown, side) > 0, labels)
    assert np.array_equal(shown.truth[:20] == 1, truth)
    assert (shown.truth[20:] == -1).all()
    (line,) = [line for line in Run(run).metrics() if "test" in line]
    assert (row.old, row.new) == (pytest.approx(line["before"]), pytest.approx(line["scores"]))
    assert found.verdict.startswith("No difference can be seen with 1 slice (IoU ")
    assert found.verdict.endswith("Forgetting is not measured: no data of the original task is on this machine.")
    assert read_comparison(run / "comparison.json").as_dict() == found.as_dict()
    iou = found.differences["iou"]
    wanted = {"old": iou.old, "new": iou.new, "difference": iou.mean}
    # Once, however often it is compared.
    compare_run(run)
    (line,) = (line for line in Run(run).metrics() if "comparison" in line)
    assert line["comparison"]["iou"] == pytest.approx(wanted, nan_ok=True)


def test_forgetting_is_measured_on_what_the_old_model_was_tested_on(run: Path, tiny_zoo: Path, tmp_path: Path) -> None:
    """Its own kind of image is what it labels itself; the new one has learnt something else."""
    image, _ = squares(9, 4)
    labels = np.asarray(segment(image_from_array(image, "ZYX"), model="tiny2d").labels[:])
    _remember(tiny_zoo, tmp_path, image, labels)
    found = compare_run(run)
    assert found.original is not None
    assert found.original.on == "the test data of tiny2d"
    assert [(row.image, row.plane, row.old["iou"]) for row in found.original.rows] == [
        ("own", (z,), 1.0) for z in (1, 2, 3)
    ]
    assert "Worse on original data: forgetting (IoU 1.00 -> 0." in found.verdict
    assert found.original.differences["iou"].n == 3


def _remember(zoo: Path, root: Path, image: np.ndarray, labels: np.ndarray) -> None:
    """Let ``tiny2d`` be a model that was tested on planes of an image."""
    tifffile.imwrite(root / "own.tif", image, photometric="minisblack")
    tifffile.imwrite(root / "own-label.tif", labels.astype(np.uint8), photometric="minisblack")
    card = read_card(zoo / "tiny2d")
    (zoo / "tiny2d" / "card.yaml").write_text(
        card.model_copy(update={"recipe": _own_recipe(card, root)}).to_yaml(), encoding="utf-8"
    )


def _own_recipe(card: Card, root: Path, **changes: Any) -> dict[str, Any]:
    pair = {"image": "own.tif", "label": "own-label.tif", "axes": "ZYX", "group": "own", "use": "test"}
    return {
        **card.model_dump(include={"task", "architecture", "input", "output", "classes"}, mode="json"),
        "pairs": [{**pair, "planes": [1, 4]}],
        "root": str(root),
        "patch": [32, 32],
        **changes,
    }


def test_what_is_trained_on_now_is_no_test_of_forgetting(tiny_zoo: Path, tmp_path: Path) -> None:
    image, truth = squares(9, 4)
    _remember(tiny_zoo, tmp_path, image, truth)
    card = read_card(tiny_zoo / "tiny2d")
    found = original_data(card)
    assert found is not None
    assert [(case.name, case.numbers) for case in found.cases] == [("own", (1, 2, 3))]
    assert original_data(card, {(tmp_path / "own.tif").resolve()}) is None
    (tmp_path / "own-label.tif").unlink()
    assert original_data(card) is None


def test_a_shipped_ancestor_is_asked_with_an_image_that_nobody_has_seen(tiny_zoo: Path, tmp_path: Path) -> None:
    card = read_card(tiny_zoo / "tiny2d")
    mine = card.model_copy(update={"recipe": _own_recipe(card, tmp_path, continue_from="membranes-unet2d")})
    found = original_data(mine)
    assert found is not None
    assert found.on == "simulated membranes"
    (case,) = found.cases
    assert case.image.shape == sample("membranes").shape
    assert not np.array_equal(case.image.data, sample("membranes").data)
    assert set(np.unique(np.asarray(case.truth))) == {0, 1}
    found = original_data(load_model("cdv-yolo").card)
    assert found is not None
    assert [case.name for case in found.cases] == [
        "vesicle_scene moderate",
        "vesicle_scene dim",
        "vesicle_scene crowded",
    ]
    assert [case.group for case in found.cases] == ["moderate", "dim", "crowded"]


def test_a_line_of_models_that_leads_round_comes_to_an_end(tiny_zoo: Path) -> None:
    card = read_card(tiny_zoo / "tiny2d").model_copy(update={"recipe": {"continue_from": "tiny2d"}})
    (tiny_zoo / "tiny2d" / "card.yaml").write_text(card.to_yaml(), encoding="utf-8")
    assert original_data(card) is None


def test_with_one_verified_slice_it_says_what_is_missing(
    make_recipe: Callable[..., Recipe], make_project: Callable[..., Path], tmp_path: Path
) -> None:
    make_project("few", *squares(1), [2])
    train(make_recipe(pairs=[{"project": "few.tif.bioseg", "use": "auto"}], steps=1), tmp_path / "run")
    found = compare_run(tmp_path / "run")
    assert found.rows == ()
    assert found.verdict.startswith("Nothing is held out to compare on: verify more slices, three at least")
    assert read_comparison(tmp_path / "run" / "comparison.json").as_dict() == found.as_dict()


def test_a_run_that_cannot_be_compared_says_why(make_recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="is no run"):
        compare_run(tmp_path)
    for recipe, why in ((make_recipe(continue_from=None), "no model"), (make_recipe(), "has no model yet")):
        Run(tmp_path / "run").start(recipe.to_yaml())
        with pytest.raises(RecipeError, match=why):
            compare_run(tmp_path / "run")


def test_rankings_are_left_out_where_labels_are_compared(make_recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    train(make_recipe(metrics=["auprc", "iou"], steps=1), tmp_path / "run")
    assert compare_run(tmp_path / "run").metrics == ("iou",)
