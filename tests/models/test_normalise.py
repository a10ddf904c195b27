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


def test_fixed_values_are_taken_as_given() -> None:
    assert Normalisation(method="fixed", low=100, high=300).fit(np.zeros(3)) == (100, 1 / 200)


@pytest.mark.parametrize("values", [np.full(5, 7.0), np.full(5, np.nan), np.empty(0)])
def test_a_constant_or_empty_image_stays_finite(values: np.ndarray) -> None:
    assert np.isfinite(apply_normalisation(values, *Normalisation().fit(values))).all()


def test_not_a_number_and_infinity_are_tamed() -> None:
    scaled = apply_normalisation(np.array([np.nan, np.inf, -np.inf, 1e9]), 0, 1)
    assert scaled.tolist() == [0, 10, -10, 10]
