"""Scores of a model on images with known labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_bioseg import evaluate, metrics, segment
from napari_bioseg.core import IncompatibleImageError, RecipeError, image_from_array
from napari_bioseg.workflows.evaluation import map_labels, take_planes
from napari_bioseg.workflows.options import EvaluateOptions

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
    assert row.oracle["dice"] == pytest.approx(metrics.oracle_threshold_dice(image, truth > 0)[0])
    assert set(row.oracle) == {"dice", "cldice"}


def test_numbers_and_shapes_must_agree(pair: tuple[Path, Path]) -> None:
    options = EvaluateOptions(model="tiny2d", axes="ZYX")
    with pytest.raises(RecipeError, match="2 images and 1"):
        evaluate([pair[0], pair[0]], [pair[1]], options)
    tifffile.imwrite(pair[1], np.zeros((3, 32, 41), np.uint8), photometric="minisblack")
    with pytest.raises(IncompatibleImageError, match="41"):
        evaluate([pair[0]], [pair[1]], options)


def test_label_values() -> None:
    values = np.array([0, 7, 255])
    assert map_labels(values, {}, 1).tolist() == [0, 1, 1]
    assert map_labels(values, {}, 3).tolist() == [0, 7, 255]
    assert map_labels(values, {0: 0, 255: 1}, 1).tolist() == [0, -1, 1]


def test_planes_are_taken_along_z() -> None:
    image = image_from_array(np.arange(2 * 5 * 4 * 4).reshape(2, 5, 4, 4), "CZYX")
    part = take_planes(image, (1, 3))
    assert part.shape == (2, 2, 4, 4)
    assert np.array_equal(part.data, np.asarray(image.data)[:, 1:3])
    assert take_planes(image, None) is image
