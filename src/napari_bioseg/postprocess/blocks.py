"""Blocks of a large array, and what is known of parts that lie in several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.postprocess.parts import Pairs, Parts, Runs, Where

if TYPE_CHECKING:
    import zarr

Index = tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """Blocks, each of whole chunks, that cover an array.

    Attributes
    ----------
    shape : tuple of int
        Of the array.
    edges : tuple of int
        Of a block.
    """

    shape: Index
    edges: Index

    @classmethod
    def of(cls, shape: Sequence[int], chunks: Sequence[int], budget: int) -> Grid:
        """Choose blocks of about `budget` pixels, but at least of one chunk."""
        edges = [min(c, n) for c, n in zip(chunks, shape, strict=True)]
        # Rows of chunks first, then layers of rows: few faces between blocks.
        for i in reversed(range(len(edges))):
            more = max(1, budget // max(1, prod(edges)))
            edges[i] = min(edges[i] * more, shape[i])
        return cls(tuple(shape), tuple(edges))

    @classmethod
    def of_planes(cls, shape: Sequence[int], chunks: Sequence[int], budget: int) -> Grid:
        """Choose blocks of whole planes, as `of` does; layers of chunks are cut where they are too large."""
        depth = [min(c, n) for c, n in zip(chunks[:-2], shape[:-2], strict=True)]
        if prod(depth) * prod(shape[-2:]) > budget:
            depth = [1] * len(depth)
        return cls.of(shape, (*depth, *shape[-2:]), budget)

    @property
    def counts(self) -> Index:
        """How many blocks there are along each axis."""
        return tuple(-(-n // max(1, e)) for n, e in zip(self.shape, self.edges, strict=True))

    def __iter__(self) -> Iterator[Index]:
        return product(*(range(n) for n in self.counts))

    def __len__(self) -> int:
        return prod(self.counts)

    def box(self, index: Index) -> tuple[slice, ...]:
        """Pixels of a block."""
        starts = (i * e for i, e in zip(index, self.edges, strict=True))
        return tuple(slice(s, min(s + e, n)) for s, e, n in zip(starts, self.edges, self.shape, strict=True))

    def where(self, index: Index) -> Where:
        """Where a block lies in the array."""
        box = self.box(index)
        low = tuple(b.start == 0 and n > 1 for b, n in zip(box, self.shape, strict=True))
        high = tuple(b.stop == n and n > 1 for b, n in zip(box, self.shape, strict=True))
        return Where(tuple(b.start for b in box), low, high)


class View:
    """An array at a fixed index along some axes, read and written along the others.

    Parameters
    ----------
    array : zarr.Array
    lead : Mapping
        Index along axes of the array.
    """

    def __init__(self, array: zarr.Array[Any], lead: Mapping[int, int]) -> None:
        self._array, self._lead = array, lead

    def __getitem__(self, box: tuple[slice, ...]) -> npt.NDArray[Any]:
        return np.asarray(self._array[self._key(box)])

    def __setitem__(self, box: tuple[slice, ...], values: npt.NDArray[Any]) -> None:
        self._array[self._key(box)] = values

    def _key(self, box: tuple[slice, ...]) -> tuple[int | slice, ...]:
        spans = iter(box)
        return tuple(self._lead[i] if i in self._lead else next(spans) for i in range(self._array.ndim))


@dataclass(frozen=True)
class _Face:
    """One layer of pixels at the end of a block: parts, numbered over all blocks, and their class indices."""

    parts: npt.NDArray[np.uint32]
    values: npt.NDArray[np.int64]


class Collection:
    """Parts of all blocks, numbered on, and how they touch across the faces between blocks.

    Blocks are added in the order of their grid; of earlier ones only the faces that are still to meet another are kept.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._parts: list[Parts] = []
        self._joins: list[Pairs] = []
        self._contacts: list[Pairs] = []
        self._faces: dict[tuple[int, Index], _Face] = {}
        self._last = 0

    def add(self, index: Index, parts: Parts, runs: Runs) -> npt.NDArray[np.uint32]:
        """Take in the parts of a block, and return the block with each pixel's part, numbered over all blocks."""
        lookup = np.arange(len(parts), dtype=np.uint32)
        lookup[1:] += np.uint32(self._last)
        painted = runs.paint(lookup)
        offset, contacts = self._last, parts.contacts
        self._contacts.append(Pairs(contacts.first + offset, contacts.second + offset, contacts.faces))
        self._parts.append(parts)
        self._last += len(parts) - 1
        for axis, (i, n) in enumerate(zip(index, self._grid.counts, strict=True)):
            if i > 0:
                before = (*index[:axis], i - 1, *index[axis + 1 :])
                self._meet(self._faces.pop((axis, before)), self._face(painted, axis, 0, parts, offset))
            if i < n - 1:
                self._faces[axis, index] = self._face(painted, axis, -1, parts, offset)
        return painted

    @staticmethod
    def _face(painted: npt.NDArray[np.uint32], axis: int, end: int, parts: Parts, offset: int) -> _Face:
        layer = painted.take(end, axis=axis).reshape(-1)
        local = np.where(layer > 0, layer.astype(np.int64) - offset, 0)
        return _Face(layer, parts.values[local])

    def _meet(self, one: _Face, other: _Face) -> None:
        known = (one.parts > 0) & (other.parts > 0)
        same = known & (one.values == other.values)
        self._joins.append(Pairs.counted(one.parts[same], other.parts[same]))
        for a, b in ((one, other), (other, one)):
            touching = known & (a.values == 0) & (b.values > 0)
            self._contacts.append(Pairs.counted(a.parts[touching], b.parts[touching]))

    @property
    def parts(self) -> Parts:
        """All parts."""
        first, *rest = self._parts

        def chained(name: str) -> npt.NDArray[Any]:
            return np.concatenate([getattr(first, name), *(getattr(p, name)[1:] for p in rest)])

        names = ("values", "sizes", "bordering", "low", "high")
        return Parts(contacts=Pairs.joined(self._contacts), **{name: chained(name) for name in names})

    @property
    def joins(self) -> Pairs:
        """Parts of equal value that touch."""
        return Pairs.joined(self._joins)
