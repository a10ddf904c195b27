"""Sliders select what a plain greedy suppression would, at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector


def random_boxes(seed, n):
    rng = np.random.default_rng(seed)
    return Boxes.of(
        rng.uniform(0, 40, (n, 2)), rng.uniform(3, 12, (n, 2)), frame=rng.integers(0, 2, n), confidence=rng.random(n)
    )


def overlap(a, b):
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    common = np.prod(sides)
    return common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)


def plain(boxes, confidence, iou):
    kept = []
    for i in np.argsort(-boxes.confidence, kind="stable"):
        if boxes.confidence[i] >= confidence and all(
            boxes.frame[i] != boxes.frame[j] or overlap(boxes.corners[i], boxes.corners[j]) <= iou for j in kept
        ):
            kept.append(i)
    return sorted(kept)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 40), st.floats(0, 1), st.floats(0.05, 1))
def test_the_selection_is_that_of_a_plain_suppression(seed, n, confidence, iou):
    boxes = random_boxes(seed, n)
    kept = BoxSelector(boxes).keep(confidence, BoxOptions(iou=iou))
    assert np.flatnonzero(kept).tolist() == plain(boxes, confidence, iou)


def test_sides():
    boxes = Boxes.of([[5, 5], [50, 50], [90, 90]], [[2, 4], [5, 5], [8, 20]])
    selector = BoxSelector(boxes)
    assert selector.keep(0, BoxOptions(min_side=3)).tolist() == [False, True, True]
    assert selector.keep(0, BoxOptions(max_side=10)).tolist() == [True, True, False]
    with pytest.raises(RecipeError, match="max_side 2 is below min_side 3"):
        BoxOptions.checked({"min_side": 3, "max_side": 2}, "options")


def test_a_box_that_is_too_long_suppresses_nothing():
    boxes = Boxes.of([[5, 5], [5, 5]], [[10, 10], [9, 9]], confidence=[0.9, 0.8])
    assert BoxSelector(boxes).keep(0, BoxOptions(max_side=9.5)).tolist() == [False, True]
