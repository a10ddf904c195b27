"""Tools for all pieces of a scope: keep the largest, remove small ones.

The scope is gone through in slabs along its first axis, so that a piece can cross from one into the next by a single
face. Pixels that share a corner are connected.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_bioseg.corrections.change import Box, Change
from napari_bioseg.editing.ground import Edit, Ground
from napari_bioseg.editing.objects import Numbers
from napari_bioseg.editing.scene import Scene
from napari_bioseg.editing.whole import Points

_SLAB = 2**24  # pixels


def keep_largest(scene: Scene, points: Points) -> Change | None:
    """Remove all pieces but the largest of the label under the click; of equal ones the first in reading order stays.

    Raises
    ------
    EditError
        A click on the background, or on a label of one piece.
    """
    ground = Ground(scene, "Keep largest")
    label = ground.label_at(ground.place(points[0]))
    if label == 0:
        raise ground.error("the click is on the background", "Click on an object")
    pieces = _Pieces(ground, label)
    doomed = np.ones(len(pieces.sizes), bool)
    doomed[pieces.sizes.argmax()] = False
    if not doomed.any():
        raise ground.error(f"label {label} has one piece", "Click on a label of several")
    return ground.change("keep_largest", pieces.removed(doomed))


def remove_small(scene: Scene, points: Points) -> Change | None:  # noqa: ARG001 - the whole scope, wherever one stands
    """Remove connected pieces of fewer pixels than the least size."""
    ground = Ground(scene, "Remove small")
    pieces = _Pieces(ground, None)
    return ground.change("remove_small", pieces.removed(pieces.sizes < scene.options.min_size))


class _Pieces:
    """Connected pieces of equal label.

    Parameters
    ----------
    ground : Ground
    label : int or None
        Only pieces of this label; None: of all.

    Attributes
    ----------
    sizes : ndarray of int64
        Pixels of each piece.
    """

    def __init__(self, ground: Ground, label: int | None) -> None:
        self._ground, self._label = ground, label
        self._slabs = list(_slabs(ground))
        self._last: tuple[Box, Numbers] | None = None
        self._firsts: list[int] = []
        sizes, joins = [np.zeros(0, np.int64)], [np.zeros((2, 0), np.int64)]
        edge, count = None, 0
        for box in self._slabs:
            values, numbers = self._numbered(box)
            self._firsts.append(count)
            if edge is not None:
                joins.append(_met(edge, (values[0], np.where(numbers[0], numbers[0] + count, 0))))
            edge = values[-1], np.where(numbers[-1], numbers[-1] + count, 0)
            sizes.append(np.bincount(numbers.reshape(-1))[1:])
            count += len(sizes[-1])
        self._piece = _joined(count, np.concatenate(joins, axis=1) - 1)
        self.sizes = np.bincount(self._piece, weights=np.concatenate(sizes)).astype(np.int64)

    def removed(self, doomed: npt.NDArray[np.bool_]) -> Iterator[Edit]:
        """Yield the edits that remove some of the pieces."""
        for box, first in zip(self._slabs, self._firsts, strict=True):
            numbers = self._again(box)
            gone = np.zeros(int(numbers.max()) + 1, bool)
            gone[1:] = doomed[self._piece[first : first + len(gone) - 1]]
            if gone.any():
                yield Edit(box, gone[numbers], None, 0)

    def _again(self, box: Box) -> Numbers:
        # Numbers of all slabs at once would not fit into memory; those of the last one are still there.
        return self._last[1] if self._last is not None and self._last[0] == box else self._numbered(box)[1]

    def _numbered(self, box: Box) -> tuple[npt.NDArray[Any], Numbers]:
        from skimage.measure import label

        values = self._ground.read(box)
        if self._label is not None:
            values = (values == self._label).view(np.uint8)
        numbers: Numbers = label(values, background=0, connectivity=values.ndim)
        self._last = box, numbers
        return values, numbers


def _slabs(ground: Ground) -> Iterator[Box]:
    whole = tuple(slice(0, n) for n in ground.shape)
    depth = max(1, _SLAB // max(1, prod(ground.shape[1:])))
    if depth > ground.chunks[0]:
        depth -= depth % ground.chunks[0]
    for start in range(0, ground.shape[0], depth):
        yield (slice(start, min(start + depth, ground.shape[0])), *whole[1:])


Layer = tuple[npt.NDArray[Any], Numbers]


def _met(one: Layer, other: Layer) -> npt.NDArray[np.int64]:
    """Return pairs of numbers, ``(2, pairs)``, of equal values that touch across the face between two slabs."""
    found = []
    for shift in product((-1, 0, 1), repeat=one[0].ndim):
        here = tuple(slice(max(0, s), n + min(0, s)) for s, n in zip(shift, one[0].shape, strict=True))
        there = tuple(slice(max(0, -s), n + min(0, -s)) for s, n in zip(shift, one[0].shape, strict=True))
        same = (one[0][here] == other[0][there]) & (one[1][here] > 0)
        found.append(np.stack([one[1][here][same], other[1][there][same]]))
    return np.unique(np.concatenate(found, axis=1), axis=1).astype(np.int64)


def _joined(count: int, pairs: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    links = coo_array((np.ones(pairs.shape[1], bool), (pairs[0], pairs[1])), shape=(count, count))
    piece: npt.NDArray[Any] = connected_components(links, directed=False)[1]
    return piece
