"""How unsure a prediction is: by the pixel, the tile and the plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.job import Job, Progress
from napari_bioseg.core.prediction import ClassInfo, Prediction
from napari_bioseg.postprocess.uncertainty import FULL, UncertaintyWriter, entropy, measure_uncertainty

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def softmax(shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.float64]:
    p = np.exp(3 * np.random.default_rng(seed).standard_normal(shape))
    return p / p.sum(axis=0)


@few
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_entropy_of_independent_classes_is_within_bounds(p: list[float]) -> None:
    value = float(entropy(np.array(p)[:, None], "sigmoid")[0])
    assert 0 <= value <= 1
    hard = [round(x) for x in p]
    assert entropy(np.array(hard)[:, None], "sigmoid")[0] == 0
    assert value <= entropy(np.full((len(p), 1), 0.5), "sigmoid")[0] == 1


@few
@given(classes=st.integers(2, 6), seed=st.integers(0, 99))
def test_entropy_of_classes_that_exclude_each_other_is_within_bounds(classes: int, seed: int) -> None:
    value = entropy(softmax((classes, 7), seed).astype(np.float16), "softmax")
    assert (value >= 0).all()
    assert (value <= 1).all()
    assert entropy(np.full((classes, 1), 1 / classes), "softmax")[0] == pytest.approx(1)
    assert entropy(np.eye(classes), "softmax").max() == 0


def test_entropy_by_hand() -> None:
    # In bits: of 0.25 and 0.75, 0.8113; of (1/2, 1/4, 1/4), 1.5 of at most log2(3).
    assert entropy(np.array([[0.25]]), "sigmoid")[0] == pytest.approx(0.8112781)
    assert entropy(np.array([[0.25], [0.5]]), "sigmoid")[0] == pytest.approx((0.8112781 + 1) / 2)
    assert entropy(np.array([[0.5], [0.25], [0.25]]), "softmax")[0] == pytest.approx(1.5 / np.log2(3))


@few
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 30), st.integers(1, 30)),
    chunks=st.tuples(st.integers(1, 3), st.integers(4, 16), st.integers(4, 16)),
    block=st.integers(1, 4000),
    activation=st.sampled_from(["sigmoid", "softmax"]),
)
def test_blocks_give_the_same_as_the_whole(
    make_prediction: Any, shape: tuple[int, ...], chunks: tuple[int, ...], block: int, activation: str
) -> None:
    p = softmax((3, *shape)).astype(np.float16)
    prediction = make_prediction(p, chunks=chunks, activation=activation)
    found = measure_uncertainty(prediction, block=block)
    expected = entropy(p, activation)
    assert (np.asarray(found.values) == np.rint(expected * FULL)).all()
    np.testing.assert_allclose(found.plane_means, expected.mean(axis=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(found.unsure[:, 0, 0], (expected >= 0.5).mean(axis=(1, 2)), rtol=1e-6)
    assert found.values.chunks == prediction.probabilities.chunks[1:]


@pytest.mark.parametrize("block", [(64, 100), (37, 41), (2050, 1300)])
def test_large_planes_have_means_of_each_tile(block: tuple[int, int]) -> None:
    shape = (2050, 1300)
    values = np.random.default_rng(0).random(shape, np.float32)
    writer = UncertaintyWriter(shape, (512, 512), "YX", level=0.7)
    for y in range(0, shape[0], block[0]):
        for x in range(0, shape[1], block[1]):
            box = (slice(y, min(y + block[0], shape[0])), slice(x, min(x + block[1], shape[1])))
            writer.write(box, values[box])
    found = writer.result()
    assert found.tiling.counts == found.means.shape == (5, 3)
    assert sum(found.tiling.areas.ravel()) == values.size
    for tile in found.tiling:
        part = values[found.tiling.box(tile)]
        assert found.means[tile] == pytest.approx(part.mean(), rel=1e-5)
        assert found.unsure[tile] == pytest.approx((part >= 0.7).mean())
    assert float(found.plane_means) == pytest.approx(values.mean(), rel=1e-5)


def test_a_plane_of_1024_pixels_is_one_tile() -> None:
    assert UncertaintyWriter((3, 1024, 7), (1, 512, 7), "ZYX").result().means.shape == (3, 1, 1)


def test_of_a_detector_only_the_centres_count() -> None:
    maps = np.full((5, 4, 4), 0.5, np.float16)
    maps[0] = 0.25
    detector = Prediction(zarr.array(maps), "YX", (1.0, 1.0), (0.0, 0.0), (None, None), (ClassInfo(value=1, name="a"),))
    assert measure_uncertainty(detector).means[0, 0] == pytest.approx(0.8112781)


def test_progress_counts_blocks_and_stops(make_prediction: Any) -> None:
    heard: list[Progress] = []
    job = Job(heard.append)
    prediction = make_prediction(np.full((1, 4, 8, 8), 0.3), chunks=(1, 8, 8))
    measure_uncertainty(prediction, job=job, block=64)
    assert [(p.done, p.total) for p in heard] == [(i, 4) for i in range(5)]
    job.cancel()
    with pytest.raises(Cancelled):
        measure_uncertainty(prediction, job=job, block=64)
