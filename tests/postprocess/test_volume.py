from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.postprocess import DecodeOptions, decode_plane, decode_volume

some = settings(max_examples=30, deadline=None)


def labels_of(prediction: Prediction, **options: Any) -> npt.NDArray[np.uint32]:
    block = options.pop("block", 10**9)
    return np.asarray(decode_volume(prediction, DecodeOptions(threshold=0.5, **options), block=block))


def assert_same_objects(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> None:
    """Equal but for the numbers."""
    assert one.shape == other.shape
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    for side in pairs:
        assert len(np.unique(side)) == pairs.shape[1]
    assert ((one == 0) == (other == 0)).all()


@st.composite
def blobs(draw: st.DrawFn, channels: int = 1) -> npt.NDArray[np.float16]:
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(1, 24)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    smooth = ndimage.gaussian_filter(
        rng.standard_normal((channels, *shape)), draw(st.sampled_from([0.5, 1, 2])), axes=(1, 2, 3)
    )
    bias = draw(st.sampled_from([-9.0, -1.0, 0.0, 1.0, 9.0]))
    return (1 / (1 + np.exp(-3 * (smooth / (smooth.std() + 1e-9) + bias)))).astype(np.float16)


layout = {"chunks": st.tuples(*[st.integers(3, 12)] * 3), "block": st.integers(60, 6000)}


@some
@given(p=blobs(), **layout)
def test_objects_are_those_of_scipy_whatever_the_blocks(make_prediction: Any, p: Any, chunks: Any, block: int) -> None:
    expected, n = ndimage.label(p[0] > 0.5)
    found = labels_of(make_prediction(p, chunks=chunks), instances=True, block=block)
    assert_same_objects(found, expected)
    assert found.max() == n


@some
@given(p=blobs(), fill=st.integers(0, 30), least=st.integers(0, 30), **layout)
def test_sizes_are_those_of_the_whole(
    make_prediction: Any, p: Any, fill: int, least: int, chunks: Any, block: int
) -> None:
    mask = p[0] > 0.5
    holes, n = ndimage.label(~mask)
    border = np.zeros(mask.shape, bool)
    for axis, length in enumerate(mask.shape):
        if length > 1:
            border[(slice(None),) * axis + ([0, -1],)] = True
    for i in range(1, n + 1):
        hole = holes == i
        mask |= hole & (hole.sum() <= fill) & ~(hole & border).any()
    expected, _ = ndimage.label(mask)
    expected[np.bincount(expected.ravel())[expected] < least] = 0
    prediction = make_prediction(p, chunks=chunks)
    assert_same_objects(labels_of(prediction, instances=True, fill_holes=fill, min_size=least, block=block), expected)
    semantic = labels_of(prediction, fill_holes=fill, min_size=least, block=block)
    assert (semantic == (expected > 0)).all()


@pytest.mark.parametrize(("fill", "filled"), [(7, False), (8, True)])
def test_a_hole_in_two_blocks_is_as_large_as_both_parts(make_prediction: Any, fill: int, filled: bool) -> None:
    p = np.ones((1, 5, 5, 10))
    p[0, 2, 2, 1:9] = 0
    labels = labels_of(make_prediction(p, chunks=(5, 5, 5)), fill_holes=fill, block=125)
    assert labels.all() == filled


@some
@given(p=blobs(channels=3), activation=st.sampled_from(["sigmoid", "softmax"]), instances=st.booleans(), **layout)
def test_classes_do_not_depend_on_blocks(
    make_prediction: Any, p: Any, activation: str, instances: bool, chunks: Any, block: int
) -> None:
    prediction = make_prediction(p, chunks=chunks, activation=activation)
    options = {"instances": instances, "fill_holes": 8, "min_size": 4}
    one, many = labels_of(prediction, **options), labels_of(prediction, **options, block=block)
    assert_same_objects(one, many)
    assert instances or (one == many).all()


@some
@given(p=blobs(), split=st.sampled_from([0.0, 0.7]), fill=st.sampled_from([0, 9]), **layout)
def test_a_plane_is_the_plane_of_the_stack(
    make_prediction: Any, p: Any, split: float, fill: int, chunks: Any, block: int
) -> None:
    prediction = make_prediction(p, chunks=chunks, model_axes="YX")
    options = DecodeOptions(threshold=0.5, instances=True, split=split, fill_holes=fill, min_size=2)
    stack = np.asarray(decode_volume(prediction, options, block=block))
    for z, labels in enumerate(stack):
        assert_same_objects(decode_plane(p[:, z], options, prediction.classes), labels)
    numbers = np.unique(stack[stack > 0])
    assert (numbers == np.arange(1, len(numbers) + 1)).all()
    # No number comes in two planes.
    assert sum(len(np.unique(labels[labels > 0])) for labels in stack) == len(numbers)


@settings(some, max_examples=15)
@given(p=blobs(), **layout)
def test_splitting_does_not_depend_on_blocks(make_prediction: Any, p: Any, chunks: Any, block: int) -> None:
    prediction = make_prediction(p, chunks=chunks)
    one, many = (labels_of(prediction, instances=True, split=0.8, block=b) for b in (10**9, block))
    assert_same_objects(one, many)
    assert ((one > 0) == (p[0] > 0.5)).all()


@pytest.mark.parametrize(
    ("axes", "shape"), [("TZYX", (2, 5, 9, 8)), ("ZTYX", (5, 2, 9, 8)), ("RTZYX", (1, 2, 5, 9, 8))]
)
def test_volumes_of_a_series_are_decoded_one_by_one(make_prediction: Any, axes: str, shape: tuple[int, ...]) -> None:
    p = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((1, *shape)), 0.7) * 9 + 0.5
    prediction = make_prediction(np.clip(p, 0, 1), axes)
    labels = labels_of(prediction, instances=True)
    mask = np.asarray(prediction.probabilities)[0] > 0.5
    last = 0
    for t in range(2):
        expected, n = ndimage.label(mask.take(t, axis=axes.index("T")).squeeze())
        found = labels.take(t, axis=axes.index("T")).squeeze()
        assert (found == np.where(expected, expected + last, 0)).all()
        last += n


def test_the_threshold_of_the_model_is_the_default(make_prediction: Any) -> None:
    p = np.full((1, 2, 3, 3), 0.4)
    assert not np.asarray(decode_volume(make_prediction(p))).any()
    assert np.asarray(decode_volume(make_prediction(p, provenance={"threshold": 0.3}))).all()
    given_ = DecodeOptions(threshold=0.45)
    assert not np.asarray(decode_volume(make_prediction(p, provenance={"threshold": 0.3}), given_)).any()


def test_an_elongated_pixel_counts_as_it_is(make_prediction: Any) -> None:
    # Two balls, one below the other; where planes lie close they are thin, and the waist is no narrower.
    z, y, x = np.ogrid[:19, :13, :13]
    mask = np.minimum((z - 5) ** 2, (z - 14) ** 2) / 25 + ((y - 6) ** 2 + (x - 6) ** 2) / 36 < 1
    isotropic = labels_of(make_prediction(mask[None]), instances=True, split=0.8)
    flat = labels_of(make_prediction(mask[None], scale=(0.05, 1.0, 1.0)), instances=True, split=0.8)
    assert isotropic.max() == 2
    assert flat.max() == 1


def test_labels_go_to_the_store(make_prediction: Any, tmp_path: Path) -> None:
    p = np.random.default_rng(0).random((1, 4, 9, 8))
    prediction = make_prediction(p, chunks=(2, 4, 4))
    labels = decode_volume(
        prediction, DecodeOptions(threshold=0.8, instances=True), store=tmp_path / "l.zarr", block=40
    )
    reopened = zarr.open_array(tmp_path / "l.zarr", mode="r")
    assert reopened.chunks == (2, 4, 4)
    assert reopened.dtype == np.uint32
    assert (np.asarray(reopened) == np.asarray(labels)).all()
    assert np.asarray(labels).max() > 5


def test_progress_and_stopping(make_prediction: Any) -> None:
    heard: list[tuple[int, int]] = []
    prediction = make_prediction(np.zeros((1, 8, 8, 8)), chunks=(2, 8, 8))
    job = Job(lambda p: heard.append((p.done, p.total)))
    decode_volume(prediction, DecodeOptions(instances=True), job=job, block=128)
    assert heard == [(i, 8) for i in range(9)]
    job.cancel()
    with pytest.raises(Cancelled):
        decode_volume(prediction, job=job)
