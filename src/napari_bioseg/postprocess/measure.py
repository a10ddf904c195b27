"""What the objects of a label image measure, gathered block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from napari_bioseg.postprocess.parts import Integers, find_runs

Floats = npt.NDArray[np.float64]

_AT_ONCE = 2**20  # pixels whose grey values are in memory as float64
_UNSETTLED = 2**20  # pieces that may wait until those of an object are joined


@dataclass(frozen=True)
class Measures:
    """Figures of objects, or of pieces of objects, one a row.

    Attributes
    ----------
    label, pixels : ndarray of int64
        ``(N,)``.
    sums : ndarray of int64
        ``(N, D)``, of the indices of all pixels: over `pixels` they are the centroid.
    first, last : ndarray of int64
        ``(N, D)``, corners of the bounding box, both within it.
    mean, squares, least, most : ndarray of float64
        ``(N,)``, of the grey values; `squares` is the sum of the squared deviations from the mean.
    """

    label: Integers
    pixels: Integers
    sums: Integers
    first: Integers
    last: Integers
    mean: Floats
    squares: Floats
    least: Floats
    most: Floats

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def none(cls, ndim: int) -> Measures:
        """Return the figures of no object."""
        numbers, places, values = np.empty(0, np.int64), np.empty((0, ndim), np.int64), np.empty(0)
        return cls(numbers, numbers, places, places, places, values, values, values, values)

    @classmethod
    def chained(cls, several: Sequence[Measures]) -> Measures:
        """Return the rows of several (one at least), one after the other."""
        return cls(*(np.concatenate([getattr(m, f.name) for m in several]) for f in fields(cls)))

    def joined(self) -> Measures:
        """Return one row a label, in their order.

        Means and squares are joined as by Chan, Golub and LeVeque (COMPSTAT 1982, p. 30): small deviations from a large
        mean are not lost, as they would be in a sum of squares.
        """
        if not len(self):
            return self
        order = np.argsort(self.label, kind="stable")
        label, pixels, mean = self.label[order], self.pixels[order], self.mean[order]
        begins = np.flatnonzero(np.diff(label, prepend=label[0] - 1))
        total = np.add.reduceat(pixels, begins)
        with np.errstate(invalid="ignore"):  # NaN and infinity in the image
            whole = np.add.reduceat(pixels * mean, begins) / total
            apart = mean - np.repeat(whole, np.diff(begins, append=len(label)))
            squares = np.add.reduceat(self.squares[order] + pixels * apart**2, begins)
        return Measures(
            label[begins],
            total,
            np.add.reduceat(self.sums[order], begins),
            np.minimum.reduceat(self.first[order], begins),
            np.maximum.reduceat(self.last[order], begins),
            whole,
            squares,
            np.minimum.reduceat(self.least[order], begins),
            np.maximum.reduceat(self.most[order], begins),
        )


class Measuring:
    """Takes in the blocks of a label image one by one; memory grows with the number of objects, not of pixels.

    Parameters
    ----------
    ndim : int
        Of the blocks.
    """

    def __init__(self, ndim: int) -> None:
        self._parts = [Measures.none(ndim)]
        self._waiting = 0

    def add(
        self, block: npt.NDArray[np.unsignedinteger], origin: Sequence[int], values: npt.NDArray[np.generic] | None
    ) -> None:
        """Take in a block.

        Parameters
        ----------
        block : ndarray of unsigned int
            Labels, 0 is background.
        origin : sequence of int
            Index of its first pixel.
        values : ndarray, optional
            Grey values, of the shape of the block.
        """
        width = block.shape[-1]
        rows, greys = block.reshape(-1, width), None if values is None else values.reshape(-1, width)
        step = max(1, _AT_ONCE // width)
        for row in range(0, len(rows), step):
            some = slice(row, row + step)
            pieces = _pieces(rows[some], row * width, block.shape, origin, None if greys is None else greys[some])
            self._parts.append(pieces)
            self._waiting += len(pieces)
        if self._waiting > max(_UNSETTLED, len(self._parts[0])):
            self.result()

    def result(self) -> Measures:
        """Return the figures of all objects so far, in the order of their labels."""
        self._parts, self._waiting = [Measures.chained(self._parts).joined()], 0
        return self._parts[0]


def _pieces(
    rows: npt.NDArray[np.unsignedinteger],
    before: int,
    shape: tuple[int, ...],
    origin: Sequence[int],
    greys: npt.NDArray[np.generic] | None,
) -> Measures:
    """Measure some rows of a block, which follow so many pixels of it."""
    starts, lengths = find_runs(rows)
    label = rows.reshape(-1)[starts].astype(np.int64)
    inside = label > 0
    count = lengths[inside]
    first = np.stack(np.unravel_index(starts[inside] + before, shape), axis=1) + np.asarray(origin, np.int64)
    last, sums = first.copy(), first * count[:, None]
    last[:, -1] += count - 1
    sums[:, -1] += count * (count - 1) // 2
    grey = np.zeros((4, len(label))) if greys is None else _grey(greys.reshape(-1).astype(np.float64), starts, lengths)
    return Measures(label[inside], count, sums, first, last, *grey[:, inside]).joined()


def _grey(values: Floats, starts: Integers, lengths: Integers) -> Floats:
    """Return mean, squared deviations, least and most of each run, ``(4, N)``."""
    with np.errstate(invalid="ignore"):
        mean = np.add.reduceat(values, starts) / lengths
        squares = np.add.reduceat((values - np.repeat(mean, lengths)) ** 2, starts)
    return np.stack((mean, squares, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)))
