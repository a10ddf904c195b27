"""Tiles of a plane that is too large to be looked at as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

_LARGEST, _TILE = 1024, 512  # edge up to which a plane is one tile, and about that of the tiles of larger ones


@dataclass(frozen=True)
class Tiling:
    """Tiles of a plane, all of about one size: a plane of up to 1024 pixels an edge is one tile.

    Attributes
    ----------
    shape : tuple of int
        Y and X of the plane.
    """

    shape: tuple[int, int]

    @property
    def edges(self) -> tuple[int, int]:
        """Y and X of a tile; the last of a row or column may be smaller."""
        y, x = (n if n <= _LARGEST else -(-n // -(-n // _TILE)) for n in self.shape)
        return y, x

    @property
    def counts(self) -> tuple[int, int]:
        """How many tiles there are along Y and X."""
        y, x = (-(-n // e) for n, e in zip(self.shape, self.edges, strict=True))
        return y, x

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rows, columns = self.counts
        return product(range(rows), range(columns))

    def box(self, tile: tuple[int, int]) -> tuple[slice, slice]:
        """Pixels of a tile."""
        y, x = (slice(i * e, min((i + 1) * e, n)) for i, e, n in zip(tile, self.edges, self.shape, strict=True))
        return y, x

    @property
    def areas(self) -> npt.NDArray[np.int64]:
        """Pixels in each tile, of shape `counts`."""
        height, width = ([s.stop - s.start for s in spans] for spans in self._spans)
        return np.outer(height, width)

    @property
    def _spans(self) -> tuple[list[slice], list[slice]]:
        rows, columns = self.counts
        return [self.box((i, 0))[0] for i in range(rows)], [self.box((0, i))[1] for i in range(columns)]
