"""A frame drawn twice counts as two frames, whatever the score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.metrics.bootstrap import (
    bootstrap_interval,
    frames_of,
    weighted_count_error,
    weighted_f1,
    weighted_f1_integral,
    weighted_precision,
)
from napari_bioseg.metrics.detection import (
    count_error,
    f1_at,
    f1_integral,
    mean_average_precision,
    precision_recall,
)

SCORES = {
    "f1": (lambda f, t: f1_at(f, t, 2), lambda f, t: weighted_f1(f, t, 2)),
    "f1_integral": (f1_integral, weighted_f1_integral),
    "map50": (
        lambda f, t: precision_recall(f, t).average_precision,
        lambda f, t: weighted_precision(f, t, (0.5,)),
    ),
    "map": (mean_average_precision, weighted_precision),
    "count_error": (count_error, weighted_count_error),
}


def case(frames: int, seed: int = 0) -> tuple[Boxes, Boxes]:
    """Boxes that are nearly the true ones, some of them missed and some invented; frames are not 0, 1, 2."""
    rng = np.random.default_rng(seed)
    n = 12 * frames
    truth = Boxes.of(rng.uniform(0, 90, (n, 2)), rng.uniform(4, 9, (n, 2)), frame=3 * rng.integers(0, frames, n))
    moved = Boxes.of(truth.centre + rng.normal(0, 0.8, (n, 2)), truth.size, frame=truth.frame, confidence=rng.random(n))
    false = Boxes.of(rng.uniform(0, 90, (9, 2)), np.full((9, 2), 6.0), frame=1, confidence=rng.random(9))
    return Boxes.joined([moved[rng.random(n) < 0.8], false]), truth


def repeated(boxes: Boxes, weights: dict[int, int]) -> Boxes:
    parts = [(t, k) for t, times in weights.items() for k in range(times)]
    return Boxes.joined(
        replace(boxes[boxes.frame == t], frame=np.full((boxes.frame == t).sum(), 100 * t + k)) for t, k in parts
    )


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("draw", [(1, 1, 1, 1), (2, 0, 3, 1), (0, 0, 0, 2)])
def test_weights_are_repeated_frames(name: str, draw: tuple[int, ...]) -> None:
    plain, weighted = SCORES[name]
    found, truth = case(3)
    weights = dict(zip(frames_of(found, truth).tolist(), draw, strict=True))
    expected = plain(repeated(found, weights), repeated(truth, weights))
    assert weighted(found, truth)(np.array(draw, float)) == pytest.approx(expected)


@pytest.mark.parametrize("name", SCORES)
def test_the_interval_holds_the_score_and_narrows_with_frames(name: str) -> None:
    plain, weighted = SCORES[name]
    widths = []
    for frames in (8, 80):
        found, truth = case(frames)
        low, high = bootstrap_interval(weighted(found, truth), len(frames_of(found, truth)))
        assert low <= plain(found, truth) <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_without_frames_there_is_no_interval() -> None:
    none = Boxes.none()
    assert np.isnan(bootstrap_interval(weighted_f1(none, none, 2), 0)).all()
    for _, weighted in SCORES.values():
        assert weighted(none, none)(np.empty(0)) in {0.0, 1.0}
