from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_bioseg.metrics import cldice, dice


def line(shape: tuple[int, ...], width: int = 5) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(n // 2 - width // 2, n // 2 + width // 2 + 1) for n in shape[:-1])] = True
    return mask


@pytest.mark.parametrize("shape", [(21, 60), (15, 15, 60)])
def test_a_gap_costs_more_than_its_pixels(shape):
    truth = line(shape)
    gap, thin = truth.copy(), ndimage.binary_erosion(truth)
    gap[..., 25:35] = False
    assert cldice(truth, truth) == pytest.approx(1)
    assert cldice(thin, truth) == pytest.approx(1)
    assert dice(thin, truth) < dice(gap, truth)
    assert cldice(gap, truth) < 0.95


def test_by_hand():
    """The skeleton of a line one pixel wide is the line."""
    truth, prediction = np.zeros((5, 20), bool), np.zeros((5, 20), bool)
    truth[2, :10], prediction[2, 4:20] = True, True
    precision, sensitivity = 6 / 16, 6 / 10
    assert cldice(prediction, truth) == pytest.approx(2 * precision * sensitivity / (precision + sensitivity))
    assert cldice(prediction, truth) == pytest.approx(cldice(truth, prediction))


def test_empty_masks():
    nothing, something = np.zeros((9, 9), bool), line((9, 9), 1)
    assert cldice(nothing, nothing) == 1.0
    assert cldice(nothing, something) == cldice(something, nothing) == 0.0
    assert cldice(np.roll(something, 3, axis=0), something) == 0.0


def test_needs_equal_shapes_in_two_or_three_dimensions():
    with pytest.raises(ValueError, match="shape"):
        cldice(np.ones((3, 3)), np.ones((3, 4)))
    with pytest.raises(ValueError, match="4 dimensions"):
        cldice(np.ones((2, 2, 2, 2)), np.ones((2, 2, 2, 2)))
