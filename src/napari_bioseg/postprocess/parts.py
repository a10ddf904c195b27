"""Connected parts of an image of classes: how large each is, what it touches, whether it reaches the border.

Neighbours share a face (4 in a plane, 6 in a volume), as `scipy.ndimage.label` has it by default. Labelled
images are measured and painted on their *runs*, stretches of one value along X: there are some hundred times fewer of
them than pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import label

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_LONG = 16  # Pixels a run has on average from which on a plane is labelled faster by its runs than by its pixels.


class Pairs(NamedTuple):
    """Pairs of parts that touch, and how many faces of pixels they share."""

    first: Integers
    second: Integers
    faces: Integers

    def where(self, mask: Flags) -> Pairs:
        """Return some of the pairs."""
        return Pairs(self.first[mask], self.second[mask], self.faces[mask])

    @classmethod
    def counted(cls, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Pairs:
        """Return each pair once, with the number of times that it is given."""
        first, second = first.astype(np.int64), second.astype(np.int64)
        n = int(second.max(initial=0)) + 1
        keys, faces = np.unique(first * n + second, return_counts=True)
        return cls(keys // n, keys % n, faces)

    @classmethod
    def joined(cls, several: list[Pairs]) -> Pairs:
        """Return all pairs of several."""
        none = np.empty(0, np.int64)
        return cls(*(np.concatenate([none, *(p[i] for p in several)]) for i in range(3)))


@dataclass(frozen=True)
class Parts:
    """What is known of the parts of one block, or of several together; the index of a part is its number.

    Attributes
    ----------
    values : ndarray of int64
        Class index; 0 is background. Part 0 stands for all background that is not told apart.
    sizes : ndarray of int64
        Pixels.
    bordering : ndarray of bool
        Whether a part reaches the border of the image.
    contacts : Pairs
        Of background (first) that may be a hole, and foreground (second).
    low, high : ndarray of int64
        Corners of the bounding box, ``(parts, axes)``, the high one exclusive; of background not known.
    """

    values: Integers
    sizes: Integers
    bordering: Flags
    contacts: Pairs
    low: Integers
    high: Integers

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Runs:
    """Stretches along X of one part each."""

    shape: tuple[int, ...]
    lengths: Integers
    parts: Integers

    def paint(self, lookup: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """Return the array in which each pixel has the value that its part has in `lookup`."""
        return np.repeat(lookup[self.parts], self.lengths).reshape(self.shape)


class Where(NamedTuple):
    """Where a block lies: its first pixel, and whether its ends along each axis are those of the image."""

    origin: tuple[int, ...]
    low: tuple[bool, ...]
    high: tuple[bool, ...]

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> Where:
        """The only block of an image. An axis of one pixel has no border: nothing would be enclosed along it."""
        ends = tuple(n > 1 for n in shape)
        return cls((0,) * len(shape), ends, ends)


def find_parts(indices: npt.NDArray[Any], where: Where, *, largest_hole: int, boxes: bool) -> tuple[Parts, Runs]:
    """Find the connected parts of equal value.

    Parameters
    ----------
    indices : ndarray of unsigned int
        Class index of each pixel, 0 is background; at least one pixel.
    where : Where
        Which ends of the block are borders of the image.
    largest_hole : int
        Pixels of a hole that may have to be filled; 0: background is not told apart.
    boxes : bool
        Whether bounding boxes are wanted.
    """
    starts, lengths = find_runs(indices)
    kinds = indices.reshape(-1)[starts]
    objects, n = _label(indices, starts, lengths, kinds)
    part = objects
    if largest_hole:
        empty, more = _label(indices == 0, starts, lengths, kinds == 0)
        part = np.where(objects > 0, objects, n + empty)
        n += more
    values = np.zeros(n + 1, np.int64)
    values[part] = kinds
    sizes = np.bincount(part, weights=lengths, minlength=n + 1).astype(np.int64)
    bordering = np.zeros(n + 1, bool)
    bordering[part[_at_border(starts, lengths, indices.shape, where)]] = True
    maybe = (values == 0) & (sizes <= largest_hole) & ~bordering
    maybe[0] = False
    holes = maybe[part]
    contacts, low, high = Pairs.joined([]), *(np.empty((0, 0), np.int64),) * 2
    if boxes or holes.any():
        foreground = Runs(indices.shape, lengths, objects).paint(np.arange(n + 1, dtype=np.uint32))
        contacts = _contacts(foreground, starts[holes], lengths[holes], part[holes])
        if boxes:
            low, high = _boxes(foreground, n + 1, where.origin)
    return Parts(values, sizes, bordering, contacts, low, high), Runs(indices.shape, lengths, part)


def _label(image: npt.NDArray[Any], starts: Integers, lengths: Integers, kinds: Any) -> tuple[Integers, int]:
    """Return the part of each run, numbered from 1 in reading order, 0 where its kind is; and how many there are."""
    if image.ndim == 2 and len(starts) * _LONG < image.size:
        return _label_runs(starts, lengths, kinds, image.shape[1])
    if image.max() > 1:
        # Labels parts of several values at once, but is slower than scipy on one.
        numbered, n = label(image, background=0, return_num=True, connectivity=1)
    else:
        numbered, n = ndimage.label(image)
    return numbered.reshape(-1)[starts].astype(np.int64), int(n)


def _label_runs(starts: Integers, lengths: Integers, kinds: npt.NDArray[Any], width: int) -> tuple[Integers, int]:
    inside = kinds > 0
    begin, end, kinds = starts[inside], (starts + lengths)[inside], kinds[inside]
    # The runs that one touches in the next row follow each other: they are a row of a sparse matrix.
    first = np.searchsorted(end, begin + width, side="right")
    rows = np.concatenate([[0], np.cumsum(np.searchsorted(begin, end + width) - first)])
    counts = np.diff(rows)
    below = np.arange(rows[-1]) + np.repeat(first - rows[:-1], counts)
    same = kinds[below] == np.repeat(kinds, counts)
    rows = np.concatenate([[0], np.cumsum(same)])[rows]
    touching = csr_array((np.ones(rows[-1]), below[same], rows), shape=(len(begin), len(begin)))
    n, part = connected_components(touching, directed=False)
    parts = np.zeros(len(starts), np.int64)
    parts[inside] = part + 1
    return parts, int(n)


def find_runs(indices: npt.NDArray[Any]) -> tuple[Integers, Integers]:
    """Return first pixel, counted over the flat array, and length of each run, of background too; rows part them."""
    flat = np.ascontiguousarray(indices).reshape(-1)
    begins = np.empty(flat.shape, bool)
    np.not_equal(flat[1:], flat[:-1], out=begins[1:])
    begins.reshape(-1, indices.shape[-1])[:, 0] = True
    starts = np.flatnonzero(begins)
    return starts, np.diff(starts, append=flat.size)


def _at_border(starts: Integers, lengths: Integers, shape: tuple[int, ...], where: Where) -> Flags:
    rest, column = np.divmod(starts, shape[-1])
    at: Flags = (column == 0) & where.low[-1] | (column + lengths == shape[-1]) & where.high[-1]
    for size, low, high in zip(shape[-2::-1], where.low[-2::-1], where.high[-2::-1], strict=True):
        rest, i = np.divmod(rest, size)
        at |= (i == 0) & low | (i == size - 1) & high
    return at


def _contacts(foreground: npt.NDArray[Any], starts: Integers, lengths: Integers, parts: Integers) -> Pairs:
    if not len(starts):
        return Pairs.joined([])
    # Each pixel of the runs, and the part that it belongs to.
    ends = np.cumsum(lengths)
    pixels = np.arange(ends[-1]) + np.repeat(starts - ends + lengths, lengths)
    owners = np.repeat(parts, lengths)
    flat, step, touching = foreground.reshape(-1), 1, []
    for size in reversed(foreground.shape):
        place = pixels // step % size
        for inside, move in ((place > 0, -step), (place < size - 1, step)):
            neighbours = flat[pixels[inside] + move]
            found = neighbours > 0
            touching.append((owners[inside][found], neighbours[found]))
        step *= size
    return Pairs.counted(*(np.concatenate([t[i] for t in touching]) for i in range(2)))


def _boxes(foreground: npt.NDArray[Any], n: int, origin: tuple[int, ...]) -> tuple[Integers, Integers]:
    low = np.full((n, foreground.ndim), np.iinfo(np.int64).max)
    high = np.zeros((n, foreground.ndim), np.int64)
    for i, box in enumerate(ndimage.find_objects(foreground), start=1):
        low[i] = [s.start for s in box]
        high[i] = [s.stop for s in box]
        low[i] += origin
        high[i] += origin
    return low, high
