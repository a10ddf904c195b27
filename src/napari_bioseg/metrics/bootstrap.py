"""Intervals of detection scores by drawing frames.

Boxes are only matched within a frame, so that each frame is matched once, and a draw of frames is a weight for each:
how often it was drawn. Scoring every draw from its boxes would take minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.metrics.detection import IOUS, Curve, hits, match_centres

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Weighted = Callable[[Floats], float]
"""A score with each frame counted so often, e.g. 1 for all."""


def frames_of(found: Boxes, truth: Boxes) -> Integers:
    """Return the frames that have a box, found or true; `Boxes.frame` tells them apart."""
    return np.unique(np.concatenate((found.frame, truth.frame)))


def weighted_f1(found: Boxes, truth: Boxes, radius: float) -> Weighted:
    """Return the F1 of centres within `radius` pixels, of weighted frames."""
    matched = _counts(found.frame[match_centres(found, truth, radius).found], found, truth)
    totals = _counts(found.frame, found, truth) + _counts(truth.frame, found, truth)

    def score(weights: Floats) -> float:
        total = totals @ weights
        return float(2 * matched @ weights / total) if total else 1.0

    return score


def weighted_f1_integral(found: Boxes, truth: Boxes, largest: float = 3.0, steps: int = 13) -> Weighted:
    """Return the mean F1 over radii, as `f1_integral` has it, of weighted frames."""
    radii = np.linspace(0, largest, steps)
    scores = [weighted_f1(found, truth, radius) for radius in radii]
    return lambda weights: float(np.trapezoid([score(weights) for score in scores], radii) / largest)


def weighted_precision(found: Boxes, truth: Boxes, ious: Sequence[float] = IOUS) -> Weighted:
    """Return the average precision, a mean over overlaps, of weighted frames."""
    order = np.argsort(-found.confidence, kind="stable")
    found = found[order]
    right = [hits(found, truth, iou) for iou in ious]
    where = np.searchsorted(frames_of(found, truth), found.frame)
    totals = _counts(truth.frame, found, truth)

    def score(weights: Floats) -> float:
        mine, total = weights[where], max(float(totals @ weights), 1.0)
        every = np.maximum(np.cumsum(mine), 1)
        found_by_then = [np.cumsum(mine * hit) for hit in right]
        curves = [Curve(found.confidence, n / every, n / total) for n in found_by_then]
        return float(np.mean([curve.average_precision for curve in curves]))

    return score


def weighted_count_error(found: Boxes, truth: Boxes) -> Weighted:
    """Return the mean error of the counts of weighted frames, as `count_error` has it."""
    mine, theirs = (_counts(boxes.frame, found, truth) for boxes in (found, truth))
    errors = np.abs(mine - theirs) / np.maximum(theirs, 1)
    return lambda weights: float(errors @ weights / max(weights.sum(), 1))


def _counts(frames: Integers, found: Boxes, truth: Boxes) -> Floats:
    """Return how often each of `frames_of` is among `frames`."""
    known = frames_of(found, truth)
    return np.bincount(np.searchsorted(known, frames), minlength=len(known)).astype(np.float64)


def bootstrap_interval(
    score: Weighted, frames: int, *, level: float = 0.95, repeats: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Return an interval of a score by drawing frames with replacement (Efron, Ann. Stat. 7:1, 1979).

    Parameters
    ----------
    score : callable
        Of the weights of the frames.
    frames : int
        How many there are.
    level : float
        Share of the repeats that the interval holds.
    repeats, seed : int
    """
    if not frames:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = rng.integers(frames, size=(repeats, frames))
    scores = [score(np.bincount(draw, minlength=frames).astype(np.float64)) for draw in drawn]
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
