"""Scores of boxes, against values worked out by hand and against a plain double loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bioseg.core.boxes import Boxes, iou_pairs
from napari_bioseg.metrics.detection import (
    count_error,
    f1_at,
    f1_integral,
    match_centres,
    mean_average_precision,
    precision_recall,
)


def boxes(*rows, frame=0):
    """Boxes from rows of y, x, side, confidence."""
    rows = np.array(rows, float).reshape(-1, 4)
    return Boxes.of(rows[:, :2], np.repeat(rows[:, 2:3], 2, axis=1), confidence=rows[:, 3], frame=frame)


def random_boxes(seed, n):
    rng = np.random.default_rng(seed)
    return Boxes.of(
        rng.uniform(0, 60, (n, 2)), rng.uniform(2, 12, (n, 2)), frame=rng.integers(0, 3, n), confidence=rng.random(n)
    )


def plain_iou(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.clip(high - low, 0, None))
    return common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 25), st.integers(0, 25))
def test_overlaps_are_those_of_a_plain_double_loop(seed, n, m):
    one, other = random_boxes(seed, n), random_boxes(seed + 1, m)
    found = {(i, j): v for i, j, v in zip(*iou_pairs(one, other), strict=True)}
    expected = {
        (i, j): plain_iou(one.corners[i], other.corners[j])
        for i in range(n)
        for j in range(m)
        if one.frame[i] == other.frame[j] and plain_iou(one.corners[i], other.corners[j]) > 0
    }
    assert found.keys() == expected.keys()
    assert all(found[k] == pytest.approx(expected[k]) for k in expected)


def test_average_precision_by_hand():
    truth = boxes((10, 10, 4, 1), (30, 30, 4, 1))
    found = boxes((10, 10, 4, 0.9), (50, 50, 4, 0.8), (30, 30, 4, 0.7))
    curve = precision_recall(found, truth)
    assert curve.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert curve.recall.tolist() == [0.5, 0.5, 1]
    # 51 recalls up to 0.5 at precision 1, the other 50 at 2/3.
    assert curve.average_precision == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_true_box_is_found_once():
    curve = precision_recall(boxes((10, 10, 4, 0.9), (10, 10, 4, 0.8)), boxes((10, 10, 4, 1)))
    assert curve.recall.tolist() == [1, 1]
    assert curve.precision.tolist() == [1, 0.5]


def test_map_averages_over_overlaps():
    # The overlap is 9 / 11: enough for 0.5 to 0.8.
    truth, found = boxes((10, 10, 10, 1)), boxes((10, 11, 10, 0.9))
    assert mean_average_precision(found, truth) == pytest.approx(0.7)
    assert mean_average_precision(truth, truth) == 1


def test_centres_are_matched_one_to_one_and_as_many_as_possible():
    truth = boxes((0, 0, 4, 1), (0, 2, 4, 1))
    found = boxes((0, 1, 4, 1), (0, 3.5, 4, 1))
    # The nearest pair first would leave one out.
    assert len(match_centres(found, truth, 2).found) == 2
    assert f1_at(found, truth, 0.5) == 0
    assert f1_at(boxes((0, 0, 4, 1)), truth, 1) == pytest.approx(2 / 3)


def test_frames_are_not_mixed():
    truth, found = boxes((5, 5, 4, 1), frame=0), boxes((5, 5, 4, 1), frame=1)
    assert f1_at(found, truth, 3) == 0
    assert precision_recall(found, truth).average_precision == 0


def test_nothing_found_and_nothing_there():
    none, some = Boxes.none(), boxes((5, 5, 4, 1))
    assert f1_at(none, none, 2) == 1
    assert f1_at(none, some, 2) == f1_at(some, none, 2) == 0
    assert precision_recall(none, some).average_precision == 0
    assert count_error(none, none) == 0


def test_the_integral_falls_with_the_error_of_place():
    truth = boxes((10, 10, 4, 1))
    scores = [f1_integral(boxes((10, 10 + shift, 4, 1)), truth) for shift in (0, 1, 2, 4)]
    assert scores[0] == 1
    assert scores[3] == 0
    assert scores == sorted(scores, reverse=True)


def test_count_error_is_a_mean_over_frames():
    truth = Boxes.joined([boxes((1, 1, 2, 1), (9, 9, 2, 1), frame=0), boxes((1, 1, 2, 1), frame=1)])
    found = boxes((1, 1, 2, 1), frame=0)
    assert count_error(found, truth) == pytest.approx((0.5 + 1) / 2)
