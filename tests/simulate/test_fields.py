from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.simulate.fields import smooth_noise, to_u8, warp


@given(st.lists(st.integers(1, 30), min_size=1, max_size=3), st.floats(0.5, 50))
def test_noise_has_the_shape_asked_for(shape, length):
    noise = smooth_noise(np.random.default_rng(0), tuple(shape), (length,) * len(shape))
    assert noise.shape == tuple(shape)
    assert noise.dtype == np.float32
    assert np.isfinite(noise).all()


def test_noise_varies_over_its_length():
    rough, smooth = (smooth_noise(np.random.default_rng(0), (200, 200), (n, n)) for n in (2, 20))
    assert np.abs(np.diff(smooth)).mean() < 0.3 * np.abs(np.diff(rough)).mean()
    assert rough.std() == pytest.approx(1, abs=0.4)
    assert abs(rough.mean()) < 0.1


def test_warp_moves_neighbours_together():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 200, (500, 3))
    shifted = warp(np.random.default_rng(1), points, 3.0, 60.0) - points
    beside = warp(np.random.default_rng(1), points + 0.5, 3.0, 60.0) - (points + 0.5)
    assert shifted.std() == pytest.approx(3, rel=0.6)
    assert np.abs(shifted - beside).max() < 1.0


def test_grey_values_are_cut_and_rounded():
    assert to_u8(np.array([-3.0, 0.6, 254.4, 300.0])).tolist() == [0, 1, 254, 255]
