"""`Boxes`: what a detector finds and a person draws, in pixels of the image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Boxes:
    """N upright boxes in the planes of an image.

    Attributes
    ----------
    frame : ndarray of int64
        ``(N,)``, index along T; 0 without T.
    z : ndarray of int64
        ``(N,)``, index along Z; 0 without Z.
    centre : ndarray of float64
        ``(N, 2)``, y and x in pixels; whole numbers are centres of pixels.
    size : ndarray of float64
        ``(N, 2)``, height and width in pixels.
    confidence : ndarray of float64
        ``(N,)``, 0..1; 1 for boxes that a person drew.
    hand : ndarray of bool
        ``(N,)``, whether a person drew or changed it.
    """

    frame: npt.NDArray[np.int64]
    z: npt.NDArray[np.int64]
    centre: Floats
    size: Floats
    confidence: Floats
    hand: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        centre: npt.ArrayLike,
        size: npt.ArrayLike,
        *,
        frame: npt.ArrayLike = 0,
        z: npt.ArrayLike = 0,
        confidence: npt.ArrayLike = 1.0,
        hand: npt.ArrayLike = False,
    ) -> Boxes:
        """Make boxes from anything like arrays; what is one number holds for all.

        Parameters
        ----------
        centre, size : array_like
            ``(N, 2)``.
        frame, z, confidence, hand : array_like
            ``(N,)`` or a number.
        """
        centre = np.asarray(centre, np.float64).reshape(-1, 2)
        n = len(centre)
        return cls(
            np.broadcast_to(np.asarray(frame, np.int64), n).copy(),
            np.broadcast_to(np.asarray(z, np.int64), n).copy(),
            centre,
            np.broadcast_to(np.asarray(size, np.float64).reshape(-1, 2), (n, 2)).copy(),
            np.broadcast_to(np.asarray(confidence, np.float64), n).copy(),
            np.broadcast_to(np.asarray(hand, np.bool_), n).copy(),
        )

    @classmethod
    def none(cls) -> Boxes:
        """Return no boxes."""
        return cls.of(np.empty((0, 2)), np.empty((0, 2)))

    @classmethod
    def joined(cls, parts: Iterable[Boxes]) -> Boxes:
        """Return all boxes of several collections, in their order."""
        parts = [*parts] or [cls.none()]
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def __len__(self) -> int:
        return len(self.centre)

    def __getitem__(self, index: Any) -> Boxes:
        """Return the boxes at an index array, a mask or a slice."""
        return Boxes(*(getattr(self, f.name)[index] for f in fields(self)))

    @property
    def corners(self) -> Floats:
        """``(N, 4)``: least y, least x, largest y, largest x."""
        return np.concatenate((self.centre - self.size / 2, self.centre + self.size / 2), axis=1)


def iou_pairs(one: Boxes, other: Boxes, least: float = 0.0) -> tuple[Integers, Integers, Floats]:
    """Return which boxes overlap, and how much: indices into both, and intersection over union above `least`.

    Only boxes of one frame and plane are compared; neighbours are found by a tree, so that thousands of small boxes
    cost milliseconds, not their square.
    """
    if not len(one) or not len(other):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    from scipy.spatial import cKDTree

    # Centres that are further apart than both half sides cannot overlap; frames and planes lie far apart.
    reach = (one.size.max() + other.size.max()) / 2
    trees = [
        cKDTree(np.column_stack((b.centre, b.frame * (2 * reach + 1), b.z * (2 * reach + 1)))) for b in (one, other)
    ]
    near = trees[0].sparse_distance_matrix(trees[1], reach, p=np.inf, output_type="ndarray")
    i, j = near["i"].astype(np.int64), near["j"].astype(np.int64)
    iou = paired_iou(one[i], other[j])
    kept = iou > least
    return i[kept], j[kept], iou[kept]


def paired_iou(one: Boxes, other: Boxes) -> Floats:
    """Return the intersection over union of each box with its counterpart in as many others."""
    a, b = one.corners, other.corners
    sides = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    common = sides.prod(axis=1)
    union = one.size.prod(axis=1) + other.size.prod(axis=1) - common
    iou: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return iou
