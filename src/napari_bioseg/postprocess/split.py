"""Cutting objects that touch at their waists, see `napari_bioseg.postprocess.waists`.

Every object is looked at as a whole, in its bounding box, so that the cut does not depend on blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.job import Job
from napari_bioseg.postprocess.objects import Objects
from napari_bioseg.postprocess.options import DecodeOptions
from napari_bioseg.postprocess.waists import Hills, Mask, find_hills, one_hill

LARGEST = 2**26  # pixels of a bounding box that is taken into memory


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
        if prod(high - low) > LARGEST:
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
    hill, hills = find_hills(mask, sampling)
    numbers = np.unique(hills.pieces(strength, min_size), return_inverse=True)[1]
    pieces: npt.NDArray[np.int32] = np.concatenate([numbers + 1, [0]]).astype(np.int32)[hill]  # -1 is the last
    return pieces


class Waists:
    """Where the objects of a plane could be cut: what does not depend on how strongly they are.

    Parameters
    ----------
    labels : ndarray of uint32
        ``(Y, X)``; objects are numbered from 1.
    objects : Objects
        With bounding boxes; one in a box of more than `LARGEST` pixels is never cut, as in `split_objects`.
    sampling : sequence of float
        Size of a pixel along each axis.
    """

    def __init__(self, labels: npt.NDArray[np.uint32], objects: Objects, sampling: Sequence[float]) -> None:
        self._hill = np.zeros(labels.shape, np.int32)  # from 1 on
        self._count = objects.count
        found: list[Hills] = []
        begin = 1
        for number, (low, high) in enumerate(zip(objects.low, objects.high, strict=True), start=1):
            where = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
            mask = labels[where] == number
            hill, hills = find_hills(mask, sampling) if mask.size <= LARGEST else one_hill(mask)
            self._hill[where][mask] = hill[mask] + begin
            begin += len(hills.heights)
            found.append(hills)
        self._hills = Hills.joined(found)
        self._owner = np.repeat(np.arange(len(found)), [len(hills.heights) for hills in found])

    def cut(self, strength: float, min_size: int) -> npt.NDArray[np.uint32]:
        """Return the labels ``(Y, X)`` of the pieces; the first of each object has its number."""
        pieces, number = np.unique(self._hills.pieces(strength, min_size), return_inverse=True)
        owner = self._owner[pieces]
        more = np.diff(owner, prepend=-1) == 0
        labels = np.where(more, self._count + np.cumsum(more), owner + 1).astype(np.uint32)
        return np.concatenate([np.zeros(1, np.uint32), labels[number]])[self._hill]

    def between(self, labels: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp]:
        """Return the pixels, by number, at which the pieces of an object meet; without them, no two touch."""
        owner = np.concatenate([[-1], self._owner])[self._hill]
        met = np.zeros(labels.shape, bool)
        for one, other in (np.s_[1:, :], np.s_[:-1, :]), (np.s_[:, 1:], np.s_[:, :-1]):
            met[one] |= (owner[one] == owner[other]) & (labels[one] != labels[other])
        return np.flatnonzero(met)
