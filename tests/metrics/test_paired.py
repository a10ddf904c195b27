"""A difference is told only where it can be told from chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_bioseg.metrics.paired import Difference, mean_interval, paired_difference, verdict


def test_the_mean_of_paired_differences_lies_in_its_interval() -> None:
    found = paired_difference("iou", [0.70, 0.60, 0.80, 0.75, 0.66, 0.72], [0.74, 0.65, 0.83, 0.80, 0.69, 0.76])
    assert (found.n, found.groups) == (6, 6)
    assert found.mean == pytest.approx(0.04)
    assert (found.old, found.new) == pytest.approx((0.705, 0.745))
    assert 0.02 < found.low < 0.04 < found.high < 0.06
    assert found == paired_difference("iou", [0.70, 0.60, 0.80, 0.75, 0.66, 0.72], [0.74, 0.65, 0.83, 0.80, 0.69, 0.76])


def test_chance_is_rarely_taken_for_a_difference() -> None:
    rng = np.random.default_rng(0)
    for n in (3, 6):
        found = [paired_difference("iou", np.zeros(n), rng.normal(0, 0.1, n), repeats=200).seen for _ in range(400)]
        # 5 % are asked for; a bootstrap alone takes 25 % of all threes for sure.
        assert np.mean(found) < 0.09


def test_slices_of_one_image_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 5)
    alike = [rng.normal(0, 0.1, 4)[groups] + rng.normal(0, 0.02, 20) for _ in range(300)]
    found = [paired_difference("iou", np.zeros(20), values, groups, repeats=200) for values in alike]
    assert np.mean([f.seen for f in found]) < 0.09
    assert {(f.n, f.groups) for f in found} == {(20, 4)}
    # As if they were independent, every third of them would be taken for a difference.
    assert np.mean([paired_difference("iou", np.zeros(20), values, repeats=200).seen for values in alike]) > 0.3


def test_one_group_is_drawn_unit_by_unit() -> None:
    old, new = [0.1, 0.2, 0.3, 0.4], [0.2, 0.32, 0.41, 0.49]
    alone, one = paired_difference("iou", old, new), paired_difference("iou", old, new, ["a"] * 4)
    assert (one.low, one.high) == (alone.low, alone.high)
    assert (one.groups, alone.groups) == (1, 4)


def test_groups_count_by_their_size() -> None:
    found = paired_difference("iou", np.zeros(6), [0.1, 0.1, 0.1, 0.1, 0.4, 0.2], ["a"] * 4 + ["b", "c"])
    assert found.mean == pytest.approx(1 / 6)
    same = paired_difference("iou", np.zeros(6), np.full(6, 0.1), ["a"] * 4 + ["b", "c"])
    assert (same.low, same.high) == pytest.approx((0.1, 0.1))


def test_what_has_no_score_does_not_count() -> None:
    found = paired_difference("v_rand", [0.5, math.nan, 0.5, 0.5], [0.6, 0.9, math.nan, 0.7], list("aabc"))
    assert (found.n, found.groups) == (2, 2)
    assert found.mean == pytest.approx(0.15)
    nothing = paired_difference("v_rand", [math.nan], [1.0])
    assert nothing.n == 0
    assert math.isnan(nothing.mean)
    assert not nothing.seen
    with pytest.raises(ValueError, match="2 old scores, 1 new"):
        paired_difference("iou", [1, 2], [1])


@pytest.mark.parametrize(
    ("metric", "mean", "low", "high", "words"),
    [
        ("iou", 0.04, 0.02, 0.06, "better by 0.04 IoU [0.02, 0.06] on 6 slices"),
        ("iou", -0.04, -0.06, -0.02, "worse by 0.04 IoU [0.02, 0.06] on 6 slices"),
        ("count_error", -0.1, -0.15, -0.05, "better by 0.10 count error [0.05, 0.15] on 6 slices"),
        ("count_error", 0.1, 0.05, 0.15, "worse by 0.10 count error [0.05, 0.15] on 6 slices"),
        ("dice", 0.004, 0.002, 0.006, "better by 0.004 Dice [0.002, 0.006] on 6 slices"),
        ("dice", 0.04, -0.01, 0.09, "no difference can be seen with 6 slices"),
        ("of others", 0.04, 0.02, 0.06, "better by 0.04 of others [0.02, 0.06] on 6 slices"),
    ],
)
def test_verdicts(metric: str, mean: float, low: float, high: float, words: str) -> None:
    assert verdict(Difference(metric, 0.5, 0.5 + mean, mean, low, high, 6, 1)) == words


def test_two_slices_show_nothing_however_far_apart() -> None:
    found = paired_difference("iou", [0.1, 0.1], [0.9, 0.9])
    assert verdict(found) == "no difference can be seen with 2 slices"
    assert verdict(paired_difference("iou", [0.1], [0.9]), "image") == "no difference can be seen with 1 image"


def test_a_mean_has_an_interval_where_three_can_be_drawn() -> None:
    values = [0.70, 0.80, 0.75, 0.90]
    low, high = mean_interval(values) or (math.nan, math.nan)
    # As of Student: 0.7875 and 3.182 standard errors of 0.0427 to each side.
    assert (low, high) == pytest.approx((0.6516, 0.9234), abs=1e-3)
    assert mean_interval(values, ["a"] * 4) == (low, high)
    by_group = paired_difference("iou", [0] * 4, values, list("aabc"))
    assert mean_interval(values, list("aabc")) == (by_group.low, by_group.high)
    assert mean_interval(values[:2]) is None
    assert mean_interval(values, list("aabb")) is None
