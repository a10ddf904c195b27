"""A model folder behind the interface that MLflow calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_bioseg import detect, segment
from napari_bioseg.core import IncompatibleImageError, image_from_array
from napari_bioseg.models import find_model
from napari_bioseg.simulate import emccd_frames
from napari_bioseg.workflows.served_model import _load_pyfunc


@pytest.mark.parametrize(("model", "shape"), [("tiny2d", (3, 40, 50)), ("tiny3d", (2, 12, 32, 40))])
def test_each_of_n_images_is_segmented_as_by_itself(tiny_zoo: Path, model: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).random(shape, np.float32)
    labels = _load_pyfunc(str(tiny_zoo / model)).predict(values)
    assert isinstance(labels, np.ndarray)
    assert (labels.shape, labels.dtype) == (shape, np.uint32)
    for image, found in zip(values, labels, strict=True):
        alone = segment(image_from_array(image, "ZYX"[4 - len(shape) :]), model=model)
        assert np.array_equal(found, alone.labels)
    assert 0 < np.count_nonzero(labels) < labels.size


def test_boxes_are_rows_that_say_in_which_image_they_are() -> None:
    frames, _ = emccd_frames((2, 96, 96), seed=1)
    rows = _load_pyfunc(str(find_model("cdv-yolo"))).predict(frames)
    assert isinstance(rows, list)
    assert {row["image"] for row in rows} == {0, 1}
    alone = detect(image_from_array(frames[1], "YX"), model="cdv-yolo").boxes
    second = [row for row in rows if row["image"] == 1]
    places = [[row["y"], row["x"], row["height"], row["width"], row["confidence"]] for row in second]
    assert np.array_equal(places, np.column_stack([alone.centre, alone.size, alone.confidence]))


def test_an_array_with_other_axes_is_refused(tiny_zoo: Path) -> None:
    with pytest.raises(IncompatibleImageError, match=r"not \(N, Y, X\)"):
        _load_pyfunc(str(tiny_zoo / "tiny2d")).predict(np.zeros((8, 8)))
