"""Waists of objects: where they could be cut, whatever the strength of the cut is.

The distance transform of an object has a peak in each of its bulges, its hills, and a saddle at the waist between two.
A waist is cut where its half-width is less than a given share of the half-width of the thinner bulge, so that the
criterion does not depend on the size of the objects or of the pixels: it is the dynamics of maxima (Grimaud,
Proc. SPIE 1769, 1992), taken of the logarithm of the distance. The cut follows the watershed of the
distance by steepest ascent (Meyer, Signal Processing 38, 1994).

Hills and passes between them take nearly all the time, and do not depend on the strength: a slider that moves it needs
but to decide again which hills belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hills:
    """Hills of one object or of several, and the highest pass between any two that touch.

    Attributes
    ----------
    heights : ndarray of float64
        Half-width of each bulge.
    sizes : ndarray of int64
        Pixels.
    first, second : ndarray of int64
        The hills on both sides of each pass; passes of one object are sorted, the highest first.
    passes : ndarray of float64
        Half-width of each waist.
    """

    heights: Floats
    sizes: Integers
    first: Integers
    second: Integers
    passes: Floats

    @classmethod
    def joined(cls, several: Sequence[Hills]) -> Hills:
        """Return the hills of several objects together, in their order."""
        begin = np.cumsum([0, *(len(hills.heights) for hills in several)])
        return cls(
            np.concatenate([np.empty(0), *(hills.heights for hills in several)]),
            np.concatenate([np.empty(0, np.int64), *(hills.sizes for hills in several)]),
            np.concatenate([np.empty(0, np.int64), *(h.first + b for h, b in zip(several, begin, strict=False))]),
            np.concatenate([np.empty(0, np.int64), *(h.second + b for h, b in zip(several, begin, strict=False))]),
            np.concatenate([np.empty(0), *(hills.passes for hills in several)]),
        )

    def pieces(self, strength: float, min_size: int) -> Integers:
        """Return for each hill the highest one of its piece.

        Parameters
        ----------
        strength : float
            Share of the half-width of the thinner bulge below which a waist is cut, 0..1.
        min_size : int
            Pixels that a piece must have; a cut that would leave less is not made.
        """
        groups = _Groups(self.heights.tolist(), self.sizes.tolist())
        # A group is at least as high and as large as each of its hills: other passes would change nothing.
        lower = np.minimum(self.heights[self.first], self.heights[self.second])
        groups.join_by_height(*self._where(self.passes >= strength * lower), strength)
        smaller = np.minimum(self.sizes[self.first], self.sizes[self.second])
        groups.join_by_size(*self._where(smaller < min_size)[:2], min_size)
        return groups.roots()

    def _where(self, kept: Mask) -> tuple[list[int], list[int], list[float]]:
        return self.first[kept].tolist(), self.second[kept].tolist(), self.passes[kept].tolist()


def find_hills(mask: Mask, sampling: Sequence[float]) -> tuple[Numbers, Hills]:
    """Find the hills of one object, and the passes between them.

    Parameters
    ----------
    mask : ndarray of bool
        One object in its bounding box.
    sampling : sequence of float
        Size of a pixel along each axis.

    Returns
    -------
    ndarray of int32
        Number of the hill of each pixel, from 0 on; -1 outside.
    Hills
    """
    padded = np.pad(mask, 1)
    distance = ndimage.distance_transform_edt(padded, sampling).astype(np.float32)
    hill, summits = _climb(distance, padded)
    heights = distance.reshape(-1)[summits].astype(np.float64)
    hills = Hills(heights, np.bincount(hill[padded]), *_passes(distance, hill, padded, len(summits)))
    return hill[(slice(1, -1),) * mask.ndim], hills


def one_hill(mask: Mask) -> tuple[Numbers, Hills]:
    """Return what `find_hills` does of an object that has no waist."""
    nothing = np.empty(0, np.int64)
    return mask.astype(np.int32) - 1, Hills(np.ones(1), np.array([mask.sum()]), nothing, nothing, np.empty(0))


def _climb(distance: npt.NDArray[np.float32], mask: Mask) -> tuple[Numbers, Integers]:
    """Return the hill that each pixel belongs to, by always going up steepest, and where the summits are."""
    inner = (slice(1, -1),) * mask.ndim
    steps = [prod(mask.shape[i + 1 :]) for i in range(mask.ndim)]
    best = distance[inner].copy()
    move = np.zeros(best.shape, np.int64)
    for offset in product((-1, 0, 1), repeat=mask.ndim):
        neighbour = distance[_shifted(offset, mask.shape)]
        higher = neighbour > best
        np.copyto(best, neighbour, where=higher)
        move[higher] = sum(o * step for o, step in zip(offset, steps, strict=True))
    pixels = np.arange(mask.size)
    up = pixels.copy()
    up.reshape(mask.shape)[inner] += move
    # Each turn looks twice as far.
    while not np.array_equal(further := up[up], up):
        up = further
    inside = mask.reshape(-1)
    summits = np.flatnonzero((up == pixels) & inside)
    numbers = np.full(mask.size, -1, np.int32)
    numbers[summits] = np.arange(len(summits))
    return np.where(inside, numbers[up], -1).reshape(mask.shape), summits


def _passes(
    distance: npt.NDArray[np.float32], hill: Numbers, mask: Mask, count: int
) -> tuple[Integers, Integers, Floats]:
    """Return pairs of hills that touch, with the height of the highest pass between them, the highest first."""
    found = [(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))]
    inner = (slice(1, -1),) * mask.ndim
    for offset in product((-1, 0, 1), repeat=mask.ndim) if count > 1 else ():
        if offset <= (0,) * mask.ndim:
            continue
        there = _shifted(offset, mask.shape)
        across = mask[inner] & mask[there] & (hill[inner] != hill[there])
        height = np.minimum(distance[inner][across], distance[there][across])
        found.append((hill[inner][across], hill[there][across], height))
    one, other, height = (np.concatenate([f[i] for f in found]) for i in range(3))
    order = np.argsort(-height, kind="stable")
    pair = np.minimum(one, other).astype(np.int64) * count + np.maximum(one, other)
    _, first = np.unique(pair[order], return_index=True)
    kept = order[np.sort(first)]
    return one[kept].astype(np.int64), other[kept].astype(np.int64), height[kept].astype(np.float64)


def _shifted(offset: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(1 + o, n - 1 + o) for o, n in zip(offset, shape, strict=True))


class _Groups:
    """Hills, some of which are joined; each group goes by its highest."""

    def __init__(self, heights: list[float], sizes: list[int]) -> None:
        self._heights, self._sizes = heights, sizes
        self._group = list(range(len(heights)))

    def roots(self) -> Integers:
        """Return the highest hill of the group of each hill."""
        return np.array([self._root(i) for i in self._group], np.int64)

    def join_by_height(self, first: list[int], second: list[int], passes: list[float], strength: float) -> None:
        """Join hills unless the pass between them is low beside the lower one."""
        for one, other, height in zip(first, second, passes, strict=True):
            a, b = self._root(one), self._root(other)
            if a != b and height >= strength * min(self._heights[a], self._heights[b]):
                self._join(a, b)

    def join_by_size(self, first: list[int], second: list[int], least: int) -> None:
        """Join each hill that is too small to the one behind its highest pass."""
        for one, other in zip(first, second, strict=True):
            a, b = self._root(one), self._root(other)
            if a != b and min(self._sizes[a], self._sizes[b]) < least:
                self._join(a, b)

    def _join(self, a: int, b: int) -> None:
        if self._heights[a] < self._heights[b]:
            a, b = b, a
        self._group[b] = a
        self._sizes[a] += self._sizes[b]

    def _root(self, i: int) -> int:
        while self._group[i] != i:
            self._group[i] = i = self._group[self._group[i]]
        return i
