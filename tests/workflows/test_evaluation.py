"""Scores of a model on images with known labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from napari_bioseg import evaluate, metrics, segment
from napari_bioseg.core import Cancelled, IncompatibleImageError, Job, RecipeError, image_from_array
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.models import read_card
from napari_bioseg.models.model import write_model
from napari_bioseg.models.registry import build_network
from napari_bioseg.workflows.evaluation import take_planes
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.scores import score_interval

pytestmark = pytest.mark.usefixtures("tiny_zoo")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    truth = np.zeros((3, 32, 40), np.uint8)
    truth[:, 8:24, 10:30] = 255
    paths = tmp_path / "image.tif", tmp_path / "label.tif"
    tifffile.imwrite(
        paths[0], (truth // 3 + rng.integers(0, 60, truth.shape)).astype(np.uint8), photometric="minisblack"
    )
    tifffile.imwrite(paths[1], truth, photometric="minisblack")
    return paths


def test_scores_are_those_of_the_labels(pair: tuple[Path, Path]) -> None:
    options = EvaluateOptions(model="tiny2d", axes="ZYX", metrics=("dice", "cldice", "v_rand"))
    (row,) = evaluate([pair[0]], [pair[1]], options)
    image, truth = (tifffile.imread(p) for p in pair)
    labels = segment(image_from_array(image, "ZYX"), model="tiny2d").labels[:] > 0
    assert row.scores["dice"] == pytest.approx(metrics.dice(labels, truth > 0))
    assert row.scores["cldice"] == pytest.approx(metrics.cldice(labels, truth > 0))
    assert 0 <= row.scores["v_rand"] <= 1
    # The slices, each scored by itself, make an interval.
    each = [metrics.dice(found, true) for found, true in zip(labels, truth > 0, strict=True)]
    assert row.intervals["dice"] == pytest.approx(score_interval("dice", each))
    assert row.oracle["dice"] == pytest.approx(metrics.oracle_threshold_dice(image, truth > 0)[0])
    assert set(row.oracle) == {"dice", "cldice"}


def test_gaps_are_closed_as_the_card_says_unless_the_user_does(pair: tuple[Path, Path], tiny_zoo: Path) -> None:
    text = (tiny_zoo / "tiny2d" / "card.yaml").read_text(encoding="utf-8").replace("separate: 0.0", "separate: 0.35")
    (tiny_zoo / "tiny2d" / "card.yaml").write_text(text, encoding="utf-8")
    image, truth = (tifffile.imread(p) for p in pair)
    found = []
    for separate in (None, 0.0):
        options = EvaluateOptions(model="tiny2d", axes="ZYX", metrics=("dice",), threshold=0.1, separate=separate)
        (row,) = evaluate([pair[0]], [pair[1]], options)
        labels = segment(image_from_array(image, "ZYX"), model="tiny2d", threshold=0.1, separate=separate).labels[:]
        assert row.scores["dice"] == pytest.approx(metrics.dice(labels > 0, truth > 0))
        found.append(row.scores["dice"])
    assert found[0] != found[1]


def test_numbers_and_shapes_must_agree(pair: tuple[Path, Path]) -> None:
    options = EvaluateOptions(model="tiny2d", axes="ZYX")
    with pytest.raises(RecipeError, match="2 images and 1"):
        evaluate([pair[0], pair[0]], [pair[1]], options)
    tifffile.imwrite(pair[1], np.zeros((3, 32, 41), np.uint8), photometric="minisblack")
    with pytest.raises(IncompatibleImageError, match="41"):
        evaluate([pair[0]], [pair[1]], options)


def test_one_coco_file_holds_the_labels_of_all_images(tmp_path: Path) -> None:
    rng, paths = np.random.default_rng(0), [tmp_path / "a.tif", tmp_path / "b.tif"]
    entries, truth = [], np.zeros((32, 40), np.uint8)
    truth[8:24, 10:30] = 1
    for i, path in enumerate(paths):
        tifffile.imwrite(path, (85 * truth + rng.integers(0, 60, truth.shape)).astype(np.uint8))
        entries.append({"id": i, "file_name": path.name, "height": 32, "width": 40})
    tifffile.imwrite(tmp_path / "label.tif", truth)
    square = [[10, 8, 30, 8, 30, 24, 10, 24]]
    kinds = [{"id": 3, "name": "cell"}, {"id": 4, "name": "dirt"}]
    found = [{"id": i, "image_id": i, "category_id": 3, "segmentation": square} for i in range(2)]
    found.append({"id": 2, "image_id": 0, "category_id": 4, "segmentation": [[0, 0, 8, 0, 8, 8, 0, 8]]})
    content = {"images": entries, "categories": kinds, "annotations": found}
    (tmp_path / "c.json").write_text(json.dumps(content), encoding="utf-8")
    options = EvaluateOptions(model="tiny2d", metrics=("dice",))
    by_hand = evaluate(paths, [tmp_path / "label.tif"] * 2, options)
    chosen = options.model_copy(update={"categories": ("cell",)})
    assert [r.scores for r in evaluate(paths, [tmp_path / "c.json"], chosen)] == [r.scores for r in by_hand]
    all_of_them = evaluate(paths, [tmp_path / "c.json"] * 2, options)
    assert all_of_them[0].scores != by_hand[0].scores
    assert all_of_them[1].scores == by_hand[1].scores


def test_the_oracle_knows_no_more_than_the_truth(pair: tuple[Path, Path]) -> None:
    image, truth = (tifffile.imread(p) for p in pair)
    image[1:] = 255
    tifffile.imwrite(pair[0], image, photometric="minisblack")
    truth[1:] = 7
    tifffile.imwrite(pair[1], truth, photometric="minisblack")
    names = ("dice", "pixel_accuracy")
    options = EvaluateOptions(model="tiny2d", axes="ZYX", metrics=names, label_values={0: 0, 255: 1})
    (row,) = evaluate([pair[0]], [pair[1]], options)
    assert row.oracle["dice"] == pytest.approx(metrics.oracle_threshold_dice(image[:1], truth[:1] > 0)[0])
    assert row.oracle["pixel_accuracy"] > 0.9


@pytest.mark.parametrize("axes", ["CZYX", "ZYXS"])
def test_labels_of_images_with_channels_or_colour_have_none(pair: tuple[Path, Path], axes: str) -> None:
    grey = tifffile.imread(pair[0])
    both = np.stack((255 - grey, grey, grey), axis=axes.index("C") if "C" in axes else 3)
    tifffile.imwrite(pair[0], both, photometric="rgb" if "S" in axes else "minisblack")
    channel = 1 if "C" in axes else 0
    options = EvaluateOptions(model="tiny2d", axes=axes, channel=channel, metrics=("dice",))
    (row,) = evaluate([pair[0]], [pair[1]], options)
    seen = grey if "C" in axes else both @ np.array([0.299, 0.587, 0.114])
    truth = tifffile.imread(pair[1]) > 0
    assert row.oracle["dice"] == pytest.approx(metrics.oracle_threshold_dice(seen, truth)[0], abs=0.01)


def test_what_cannot_be_scored_is_told_before_the_network_runs(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_bioseg.workflows.evaluation.predict", lambda *_, **__: pytest.fail("too late"))
    wrong = {"metrics": ("dise",)}, {"label_values": {255: 2}}
    for more in wrong:
        with pytest.raises(RecipeError):
            evaluate([pair[0]], [pair[1]], EvaluateOptions(model="tiny2d", axes="ZYX", **more))
    for path in pair:
        tifffile.imwrite(path, np.zeros((32, 40), np.uint8), photometric="minisblack")
    with pytest.raises(IncompatibleImageError, match="Z axis"):
        evaluate([pair[0]], [pair[1]], EvaluateOptions(model="tiny3d"))


def test_labels_without_interior_are_refused_in_one_line(pair: tuple[Path, Path]) -> None:
    tifffile.imwrite(pair[1], np.zeros((3, 32, 40), np.uint8), photometric="minisblack")
    with pytest.raises(RecipeError, match="interior"):
        evaluate([pair[0]], [pair[1]], EvaluateOptions(model="tiny2d", axes="ZYX", metrics=("v_rand",)))


def test_half_an_image_is_not_scored(pair: tuple[Path, Path]) -> None:
    job = Job(lambda progress: job.cancel() if progress.done == 1 else None)
    with pytest.raises(Cancelled):
        evaluate([pair[0]], [pair[1]], EvaluateOptions(model="tiny2d", axes="ZYX"), job=job)


def test_planes_are_taken_along_z() -> None:
    image = image_from_array(np.arange(2 * 5 * 4 * 4).reshape(2, 5, 4, 4), "CZYX")
    part = take_planes(image, (1, 3))
    assert part.shape == (2, 2, 4, 4)
    assert np.array_equal(part.data, np.asarray(image.data)[:, 1:3])
    assert take_planes(image, None) is image
    assert take_planes(image_from_array(np.zeros((5, 4, 4)), "TYX"), (1, 3)).shape == (2, 4, 4)
    assert take_planes(image_from_array(np.zeros((2, 5, 4, 4)), "TZYX"), (1, 3)).shape == (2, 2, 4, 4)


def test_the_task_says_what_is_reported_where_nobody_does(pair: tuple[Path, Path]) -> None:
    (row,) = evaluate([pair[0]], [pair[1]], EvaluateOptions(model="tiny2d", axes="ZYX"))
    assert tuple(row.scores) == ("dice", "iou", "pixel_accuracy")


def test_of_several_classes_each_has_its_scores_beside_the_mean(pair: tuple[Path, Path], tiny_zoo: Path) -> None:
    card = read_card(tiny_zoo / "tiny2d")
    names = ("thing", "other thing", "third")
    classes = tuple(ClassInfo(value=5 * i, name=name) for i, name in enumerate(names, start=1))
    spec = card.architecture.model_copy(update={"arguments": {**card.architecture.arguments, "out_channels": 3}})
    torch.manual_seed(0)
    network = build_network(spec.name, spec.arguments).eval()
    write_model(
        tiny_zoo / "three",
        card.model_copy(update={"name": "three", "classes": classes, "architecture": spec}),
        network,
        "",
    )
    truth = (tifffile.imread(pair[1]) > 0).astype(np.uint8)
    truth[:, 20:] *= 2
    tifffile.imwrite(pair[1], truth, photometric="minisblack")
    options = EvaluateOptions(model="three", axes="ZYX", metrics=("iou", "auprc"), threshold=0.0)
    (row,) = evaluate([pair[0]], [pair[1]], options)
    # No score of the third class, which the truth lacks, and none of a grey value, which can tell but one.
    assert list(row.scores) == ["iou", "auprc", "iou_thing", "iou_other_thing", "auprc_thing", "auprc_other_thing"]
    assert row.oracle == {}
    labels = segment(image_from_array(tifffile.imread(pair[0]), "ZYX"), model="three", threshold=0.0).labels[:]
    assert row.scores["iou_other_thing"] == pytest.approx(metrics.iou(labels == 10, truth == 2))
    for name in ("iou", "auprc"):
        assert row.scores[name] == pytest.approx((row.scores[f"{name}_thing"] + row.scores[f"{name}_other_thing"]) / 2)
