"""Reliability diagrams and the expected calibration error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bioseg.metrics.calibration import confidence, reliability


def test_by_hand() -> None:
    found = reliability([0.1, 0.2, 0.8, 1.0], [0, 1, 1, 1], bins=2)
    assert found.counts.tolist() == [2, 2]
    assert found.predicted.tolist() == pytest.approx([0.15, 0.9])
    assert found.observed.tolist() == [0.5, 1.0]
    assert found.expected_error == pytest.approx((2 * 0.35 + 2 * 0.1) / 4)


def test_empty_bins_do_not_count() -> None:
    found = reliability([0.95, 0.95], [1, 0], bins=10)
    assert np.isnan(found.observed[:9]).all()
    assert found.expected_error == pytest.approx(0.45)


def test_events_drawn_by_their_probability_are_calibrated_and_overconfidence_is_seen() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    true = rng.random(p.shape) < p
    assert reliability(p, true).expected_error < 0.01
    bold = np.clip(0.5 + 2 * (p - 0.5), 0, 1)
    # Half of the mass is moved to 0 and 1, where a quarter of the events are of the other kind on average 0.125.
    assert reliability(bold, true).expected_error == pytest.approx(0.125, abs=0.01)


@settings(deadline=None)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=30), data=st.data())
def test_the_error_is_a_share_and_all_are_counted(p: list[float], data: st.DataObject) -> None:
    true = data.draw(st.lists(st.booleans(), min_size=len(p), max_size=len(p)))
    found = reliability(p, true)
    assert 0 <= found.expected_error <= 1
    assert found.counts.sum() == len(p)


def test_confidence_is_that_of_the_likelier_class() -> None:
    p, right = confidence([0.2, 0.7, 0.9], [0, 0, 1])
    assert p.tolist() == pytest.approx([0.8, 0.7, 0.9])
    assert right.tolist() == [True, False, True]


@pytest.mark.parametrize(("p", "true"), [([0.5], [1, 0]), ([], []), ([1.2], [1]), ([float("nan")], [1])])
def test_what_are_no_probabilities_is_refused(p: list[float], true: list[int]) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        reliability(p, true)
