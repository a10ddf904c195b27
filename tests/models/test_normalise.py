"""Normalisation."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.models.normalise import Normalisation, apply_normalisation


def test_percentiles_become_0_and_1() -> None:
    values = np.arange(101, dtype=np.uint8)
    offset, gain = Normalisation(low=10, high=90).fit(values)
    assert apply_normalisation(np.array([10, 50, 90]), offset, gain) == pytest.approx([0, 0.5, 1])


def test_zscore() -> None:
    values = np.random.default_rng(0).normal(50, 5, 10_000)
    scaled = apply_normalisation(values, *Normalisation(method="zscore").fit(values))
    assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-3)


def vessels(white: float) -> np.ndarray:
    """Return grey values of a background, 2 % of which are brighter, up to `white`."""
    rng = np.random.default_rng(0)
    values = 10 + rng.gamma(4, 5, 100_000)
    values[:2_000] = rng.uniform(60, white, 2_000)
    return values


@pytest.mark.parametrize("white", [300, 700])
def test_the_background_is_a_unit_however_bright_the_brightest_are(white: float) -> None:
    values = vessels(white)
    black, background = np.percentile(values, 1), np.median(values)
    offset, gain = Normalisation(method="background", low=1, high=25).fit(values)
    scaled = apply_normalisation(np.array([black, background, black + 5 * (background - black)]), offset, gain)
    assert scaled == pytest.approx([0, 1 / 25, 1 / 5], rel=0.05, abs=1e-6)


def test_black_that_was_cut_is_no_background() -> None:
    values = vessels(700)
    how = Normalisation(method="background", low=1, high=25)
    cut = np.where((np.arange(values.size) % 10 < 7) & (values < 60), 0, values)
    assert np.median(cut) == 0
    assert how.fit(cut) == pytest.approx((0, 1 / (25 * np.median(cut[cut > 0]))))


@pytest.mark.parametrize(("background", "counts_as"), [(0.5, 2), (5, 5), (50, 10)])
def test_a_background_that_can_be_none_is_bounded(background: float, counts_as: float) -> None:
    values = np.concatenate([np.zeros(100), np.full(800, background), np.full(100, 100.0)])
    assert Normalisation(method="background", high=25).fit(values) == pytest.approx((0, 1 / (25 * counts_as)))


def test_no_multiple_of_the_background_is_no_division() -> None:
    assert Normalisation(method="background", high=0).fit(np.arange(100)) == (pytest.approx(0.99), 1)


def test_fixed_values_are_taken_as_given() -> None:
    assert Normalisation(method="fixed", low=100, high=300).fit(np.zeros(3)) == (100, 1 / 200)


@pytest.mark.parametrize("method", ["percentile", "background", "zscore"])
@pytest.mark.parametrize("values", [np.full(5, 7.0), np.full(5, np.nan), np.empty(0), np.r_[np.zeros(999), 1]])
def test_a_constant_or_empty_image_stays_finite(values: np.ndarray, method: str) -> None:
    how = Normalisation.model_validate({"method": method})
    assert np.isfinite(apply_normalisation(values, *how.fit(values))).all()


def test_not_a_number_and_infinity_are_tamed() -> None:
    scaled = apply_normalisation(np.array([np.nan, np.inf, -np.inf, 1e9]), 0, 1)
    assert scaled.tolist() == [0, 10, -10, 10]
