"""Scores of detected boxes: average precision, F1 of centres, errors of counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from napari_bioseg.core.boxes import Boxes, iou_pairs

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

IOUS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
"""Thresholds of mAP50-95 (Lin et al., COCO, ECCV 2014)."""

_RECALLS = np.linspace(0, 1, 101)
_FAR = 1e6


@dataclass(frozen=True)
class Curve:
    """Precision against recall.

    Attributes
    ----------
    confidence, precision, recall : ndarray
        At each found box, the surest first.
    """

    confidence: Floats
    precision: Floats
    recall: Floats

    @property
    def average_precision(self) -> float:
        """Mean of the best precision at 101 recalls, as COCO defines it; 0 when nothing was found."""
        if not len(self.recall):
            return 0.0
        best = np.maximum.accumulate(self.precision[::-1])[::-1]
        at = np.searchsorted(self.recall, _RECALLS, side="left")
        return float(np.where(at < len(best), best[np.minimum(at, len(best) - 1)], 0.0).mean())


def precision_recall(found: Boxes, truth: Boxes, iou: float = 0.5) -> Curve:
    """Return the curve of found boxes; each takes the true box it overlaps most, of those not yet taken.

    The surest box chooses first (Everingham et al., PASCAL VOC, IJCV 88:303, 2010).

    Parameters
    ----------
    found, truth : Boxes
        Of any number of frames.
    iou : float
        Overlap from which a box counts as found.
    """
    found = found[np.argsort(-found.confidence, kind="stable")]
    right = np.cumsum(hits(found, truth, iou))
    recall = right / max(len(truth), 1)
    return Curve(found.confidence, right / np.arange(1, len(found) + 1), recall)


def hits(found: Boxes, truth: Boxes, iou: float) -> npt.NDArray[np.bool_]:
    """Return which boxes are true; those that come first choose first."""
    i, j, overlap = iou_pairs(found, truth, iou - 1e-9)
    hit = np.zeros(len(found), bool)
    taken = np.zeros(len(truth), bool)
    for k in np.lexsort((-overlap, i)):
        if not hit[i[k]] and not taken[j[k]]:
            hit[i[k]] = taken[j[k]] = True
    return hit


def mean_average_precision(found: Boxes, truth: Boxes, ious: Sequence[float] = IOUS) -> float:
    """Return the mean over overlaps of the average precision: mAP50-95 by default."""
    return float(np.mean([precision_recall(found, truth, iou).average_precision for iou in ious]))


@dataclass(frozen=True)
class Matches:
    """Found and true centres, matched one to one.

    Attributes
    ----------
    found, truth : ndarray of int64
        Indices of the matched ones.
    n_found, n_truth : int
        How many there are in all.
    """

    found: Integers
    truth: Integers
    n_found: int
    n_truth: int

    @property
    def precision(self) -> float:
        """Share of the found ones that are true; 1 when nothing was found."""
        return len(self.found) / self.n_found if self.n_found else 1.0

    @property
    def recall(self) -> float:
        """Share of the true ones that were found; 1 when there are none."""
        return len(self.truth) / self.n_truth if self.n_truth else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 1 when there is nothing to find and nothing was found."""
        total = self.n_found + self.n_truth
        return 2 * len(self.found) / total if total else 1.0


def match_centres(found: Boxes, truth: Boxes, radius: float) -> Matches:
    """Match centres that are at most `radius` pixels apart: as many as possible, then as near as possible.

    By the Hungarian method (Kuhn, Nav. Res. Logist. Q. 2:83, 1955), frame by frame and plane by plane.
    """
    pairs = []
    for frame, z in {*zip(truth.frame.tolist(), truth.z.tolist(), strict=True)}:
        mine = np.flatnonzero((found.frame == frame) & (found.z == z))
        theirs = np.flatnonzero((truth.frame == frame) & (truth.z == z))
        if not len(mine):
            continue
        apart = np.linalg.norm(found.centre[mine][:, None] - truth.centre[theirs], axis=2)
        cost = np.where(apart <= radius, apart, _FAR)
        i, j = linear_sum_assignment(cost)
        near = cost[i, j] < _FAR
        pairs.append((mine[i[near]], theirs[j[near]]))
    i, j = (np.concatenate([p[k] for p in pairs]) if pairs else np.empty(0, np.int64) for k in (0, 1))
    return Matches(i, j, len(found), len(truth))


def f1_at(found: Boxes, truth: Boxes, radius: float) -> float:
    """Return the F1 of centres matched within `radius` pixels."""
    return match_centres(found, truth, radius).f1


def f1_integral(found: Boxes, truth: Boxes, largest: float = 3.0, steps: int = 13) -> float:
    """Return the mean F1 over radii from 0 to `largest` pixels: 1 is all found, and exactly in place."""
    radii = np.linspace(0, largest, steps)
    return float(np.trapezoid([f1_at(found, truth, r) for r in radii], radii) / largest)


def count_error(found: Boxes, truth: Boxes) -> float:
    """Return the mean over frames of ``|found - true| / max(true, 1)``; frames are those that either has."""
    places = {*zip(truth.frame.tolist(), truth.z.tolist(), strict=True)}
    places |= {*zip(found.frame.tolist(), found.z.tolist(), strict=True)}
    errors = []
    for frame, z in places:
        mine = int(((found.frame == frame) & (found.z == z)).sum())
        theirs = int(((truth.frame == frame) & (truth.z == z)).sum())
        errors.append(abs(mine - theirs) / max(theirs, 1))
    return float(np.mean(errors)) if errors else 0.0
