from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from tests.drift.conftest import figures_of, texture

from napari_bioseg.drift import BANDS, EDGES, describe

_NOTHING = np.zeros(1)


def test_the_histogram_holds_all_pixels_and_what_lies_beyond_in_its_ends() -> None:
    grey = np.full((8, 8), 0.27, np.float32)
    grey[0, :4], grey[0, 4:] = -9, 9
    histogram = describe([grey], [grey], [_NOTHING]).histogram
    inside = int(np.searchsorted(EDGES, 0.27)) - 1
    assert (histogram[0], histogram[-1], histogram[inside]) == (4 / 64, 4 / 64, 56 / 64)


def test_a_value_on_an_edge_counts_in_the_bin_above() -> None:
    grey = EDGES[:-1].astype(np.float32).reshape(5, 8)
    expected, _ = np.histogram(np.clip(grey, EDGES[0], EDGES[-1]), EDGES)
    np.testing.assert_array_equal(describe([grey], [grey], [_NOTHING]).histogram, expected / 40)


@pytest.mark.parametrize("sd", [0.01, 0.08])
def test_noise_is_told_on_top_of_structures(sd: float) -> None:
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(128, 128)), 6) * 5
    noisy = smooth + np.random.default_rng(1).normal(0, sd, smooth.shape)
    assert 2 ** describe([noisy.astype(np.float32)], [noisy], [_NOTHING]).noise == pytest.approx(sd, rel=0.1)


def test_each_band_holds_the_power_of_its_frequencies() -> None:
    x = np.arange(128)
    for frequency in (1 / 32, 1 / 8, 0.3):
        wave = np.tile(np.sin(2 * np.pi * frequency * x), (128, 1)).astype(np.float32)
        spectrum = describe([wave], [wave], [_NOTHING]).spectrum
        assert spectrum.argmax() == np.searchsorted(BANDS, frequency)


def test_blur_lowers_sharpness_and_noise_raises_it() -> None:
    grey = texture(0)
    blurred = ndimage.gaussian_filter(grey, 2)
    noisy = grey + np.random.default_rng(0).normal(0, 0.2, grey.shape).astype(np.float32)
    assert figures_of(blurred).sharpness < figures_of(grey).sharpness - 0.2 < figures_of(noisy).sharpness - 1


def test_saturation_and_levels_are_those_of_the_file() -> None:
    raw = np.repeat(np.arange(16, dtype=np.uint16), 10)
    raw[raw > 12] = 12
    found = describe([texture(0)], [raw], [_NOTHING])
    assert found.saturation == pytest.approx((10 + 40) / 160)
    assert 2**found.levels == pytest.approx(13)


def test_a_window_without_anything_in_it_has_figures() -> None:
    found = figures_of(np.zeros((64, 64), np.float32))
    values = (found.noise, found.contrast, found.snr, found.sharpness, *found.spectrum)
    assert np.isfinite(values).all()


def test_contrast_and_noise_give_the_signal_to_noise_ratio() -> None:
    weak, strong = figures_of(texture(0, noise=0.2)), figures_of(texture(0, noise=0.01))
    assert strong.snr > weak.snr + 2
