"""Figures of objects, block by block: what is found in pieces is what is found in one."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops_table

from napari_bioseg.postprocess import measure
from napari_bioseg.postprocess.measure import Measures, Measuring

RNG = np.random.default_rng(4)
SHAPE = (7, 20, 33)


def measured(labels, values, cuts=((slice(None),) * 3,)):
    measuring = Measuring(labels.ndim)
    for box in cuts:
        origin = [s.start or 0 for s in box]
        measuring.add(labels[box], origin, None if values is None else values[box])
    return measuring.result()


def cuts_of(*steps):
    spans = [[slice(i, i + step) for i in range(0, n, step)] for n, step in zip(SHAPE, steps, strict=True)]
    return [(z, y, x) for z in spans[0] for y in spans[1] for x in spans[2]]


def test_figures_are_those_of_scikit_image():
    labels, values = RNG.integers(0, 9, SHAPE, dtype=np.uint32), RNG.integers(0, 60_000, SHAPE, dtype=np.uint16)
    labels[2, 3:6, 10:20] = 9
    found = measured(labels, values)
    names = ("label", "area", "centroid", "bbox", "intensity_mean", "intensity_min", "intensity_max", "intensity_std")
    truth = regionprops_table(labels, values, properties=names)
    assert found.label.tolist() == truth["label"].tolist() == list(range(1, 10))
    assert found.pixels.tolist() == truth["area"].tolist()
    for axis in range(3):
        assert np.allclose(found.sums[:, axis] / found.pixels, truth[f"centroid-{axis}"])
        assert found.first[:, axis].tolist() == truth[f"bbox-{axis}"].tolist()
        assert (found.last[:, axis] + 1).tolist() == truth[f"bbox-{axis + 3}"].tolist()
    assert np.allclose(found.mean, truth["intensity_mean"])
    assert np.allclose(np.sqrt(found.squares / found.pixels), truth["intensity_std"])
    assert found.least.tolist() == truth["intensity_min"].tolist()
    assert found.most.tolist() == truth["intensity_max"].tolist()


@pytest.mark.parametrize("unsettled", [1, 2**20])
def test_blocks_give_what_the_whole_does(monkeypatch, unsettled):
    labels = RNG.integers(0, 2**32, 40, dtype=np.uint32)[RNG.integers(0, 40, SHAPE)] * (RNG.random(SHAPE) > 0.4)
    values = RNG.normal(1e6, 0.1, SHAPE)
    whole = measured(labels, values)
    monkeypatch.setattr(measure, "_AT_ONCE", 50)
    monkeypatch.setattr(measure, "_UNSETTLED", unsettled)
    parts = measured(labels, values, cuts_of(3, 7, 10))
    for name in ("label", "pixels", "sums", "first", "last", "least", "most"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name)), name
    assert np.allclose(parts.mean, whole.mean, rtol=1e-15)
    assert np.allclose(parts.squares, whole.squares, rtol=1e-6)


def test_a_small_deviation_from_a_large_mean_is_not_lost():
    labels, values = np.ones(SHAPE, np.uint8), RNG.normal(1e8, 0.01, SHAPE)
    found = measured(labels, values, cuts_of(1, 20, 33))
    assert np.sqrt(found.squares[0] / found.pixels[0]) == pytest.approx(values.std(), rel=1e-6)


def test_pieces_of_an_object_are_joined_as_they_come(monkeypatch):
    monkeypatch.setattr(measure, "_UNSETTLED", 4)
    measuring = Measuring(2)
    for row in range(100):
        measuring.add(np.array([[1, 0, 2]], np.uint16), (row, 0), None)
        assert sum(len(part) for part in measuring._parts) <= 8
    assert measuring.result().pixels.tolist() == [100, 100]


def test_nothing_is_no_error():
    assert len(measured(np.zeros(SHAPE, np.uint8), None)) == 0
    assert len(Measures.none(2).joined()) == 0


def test_what_is_no_number_stays_with_its_object():
    labels, values = np.array([[1, 1, 2, 2]], np.uint8), np.array([[np.nan, 1, 2, 4]])
    found = measured(labels, values, [(slice(0, 1), slice(0, 4))])
    assert np.isnan(found.mean[0])
    assert np.isnan(found.most[0])
    assert (found.mean[1], found.squares[1]) == (3, 2)
