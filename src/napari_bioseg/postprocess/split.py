"""Cutting objects that touch at their waists.

The distance transform of an object has a peak in each of its bulges and a saddle at the waist between two. A
waist is cut where its half-width is less than a given share of the half-width of the thinner bulge, so that the
criterion does not depend on the size of the objects or of the pixels: it is the dynamics of maxima (Grimaud,
Proc. SPIE 1769, 1992), taken of the logarithm of the distance. The cut follows the watershed of the
distance by steepest ascent (Meyer, Signal Processing 38, 1994).

Every object is looked at as a whole, in its bounding box, so that the cut does not depend on blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_bioseg.core.job import Job
from napari_bioseg.postprocess.objects import Objects
from napari_bioseg.postprocess.options import DecodeOptions

_LARGEST = 2**26  # pixels of a bounding box that is taken into memory

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Labels(Protocol):
    """A numpy array, or a view of a zarr array."""

    def __getitem__(self, key: Any, /) -> Any: ...
    def __setitem__(self, key: Any, value: Any, /) -> None: ...


def split_objects(
    labels: Labels,
    objects: Objects,
    options: DecodeOptions,
    *,
    first: int,
    sampling: Sequence[float],
    job: Job,
) -> int:
    """Cut the objects of a labelled image at their waists, in place.

    Parameters
    ----------
    labels : numpy.ndarray or View
        Holds `objects`.
    objects : Objects
        With bounding boxes.
    options : DecodeOptions
    first : int
        Number of the first object; new ones are numbered after the last.
    sampling : sequence of float
        Size of a pixel along each axis of the objects.
    job : Job

    Returns
    -------
    int
        How many objects there are now.
    """
    count = objects.count
    for i, (low, high) in enumerate(zip(objects.low, objects.high, strict=True)):
        job.check()
        if prod(high - low) > _LARGEST:
            job.note("objects too large to be taken into memory were not split")
            continue
        where = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        crop = np.asarray(labels[where])
        pieces = split_object(crop == first + i, options.split, sampling, options.min_size)
        n = int(pieces.max())
        if n > 1:
            # The first piece keeps the number of the object.
            labels[where] = np.where(pieces > 1, first + count - 2 + pieces, crop).astype(np.uint32)
            count += n - 1
    return count


def split_object(mask: Mask, strength: float, sampling: Sequence[float], min_size: int) -> npt.NDArray[np.int32]:
    """Return the pieces 1..n of one object.

    Parameters
    ----------
    mask : ndarray of bool
        One object in its bounding box.
    strength : float
        Share of the half-width of the thinner bulge below which a waist is cut, 0..1.
    sampling : sequence of float
        Size of a pixel along each axis.
    min_size : int
        Pixels that a piece must have; a cut that would leave less is not made.
    """
    padded = np.pad(mask, 1)
    distance = ndimage.distance_transform_edt(padded, sampling).astype(np.float32)
    hill, summits = _hills(distance, padded)
    pieces = padded.astype(np.int32)
    if len(summits) > 1:
        hills = _Hills(distance.reshape(-1)[summits].tolist(), np.bincount(hill[padded]).tolist())
        passes = _passes(distance, hill, padded)
        hills.join_by_height(passes, strength)
        hills.join_by_size(passes, min_size)
        pieces[padded] = 1 + hills.numbers()[hill[padded]]
    inner: npt.NDArray[np.int32] = pieces[(slice(1, -1),) * mask.ndim]
    return inner


def _hills(distance: npt.NDArray[np.float32], mask: Mask) -> tuple[Integers, Integers]:
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
    up = np.arange(mask.size)
    up.reshape(mask.shape)[inner] += move
    # Each turn looks twice as far.
    while not np.array_equal(further := up[up], up):
        up = further
    hill = np.zeros(mask.shape, np.int64)
    summits, hill[mask] = np.unique(up[mask.reshape(-1)], return_inverse=True)
    return hill, summits


def _passes(distance: npt.NDArray[np.float32], hill: Integers, mask: Mask) -> list[tuple[int, int, float]]:
    """Return pairs of hills that touch, with the height of the highest pass between them, the highest first."""
    inner = (slice(1, -1),) * mask.ndim
    found = []
    for offset in product((-1, 0, 1), repeat=mask.ndim):
        if offset <= (0,) * mask.ndim:
            continue
        there = _shifted(offset, mask.shape)
        across = mask[inner] & mask[there] & (hill[inner] != hill[there])
        height = np.minimum(distance[inner][across], distance[there][across])
        found.append((hill[inner][across], hill[there][across], height))
    one, other, height = (np.concatenate([f[i] for f in found]) for i in range(3))
    order = np.argsort(-height, kind="stable")
    pair = np.minimum(one, other) * (int(hill.max()) + 1) + np.maximum(one, other)
    _, first = np.unique(pair[order], return_index=True)
    kept = order[np.sort(first)]
    return list(zip(one[kept].tolist(), other[kept].tolist(), height[kept].tolist(), strict=True))


def _shifted(offset: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(1 + o, n - 1 + o) for o, n in zip(offset, shape, strict=True))


class _Hills:
    """Hills, some of which are joined; each group goes by one of its members."""

    def __init__(self, heights: list[float], sizes: list[int]) -> None:
        self._heights, self._sizes = heights, sizes
        self._group = list(range(len(heights)))

    def numbers(self) -> Integers:
        """Return the number of the group of each hill, from 0 on."""
        _, numbers = np.unique([self._root(i) for i in range(len(self._group))], return_inverse=True)
        return np.asarray(numbers, np.int64)

    def join_by_height(self, passes: list[tuple[int, int, float]], strength: float) -> None:
        """Join hills unless the pass between them is low beside the lower one."""
        for one, other, height in passes:
            a, b = self._root(one), self._root(other)
            if a != b and height >= strength * min(self._heights[a], self._heights[b]):
                self._join(a, b)

    def join_by_size(self, passes: list[tuple[int, int, float]], least: int) -> None:
        """Join each hill that is too small to the one behind its highest pass."""
        for one, other, _ in passes:
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
