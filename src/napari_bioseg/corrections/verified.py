"""Where a person declared the labels to be truth: whole planes, and parts of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from napari_bioseg.corrections.change import Box
from napari_bioseg.corrections.contents import Contents
from napari_bioseg.corrections.records import Verify

State = Literal["none", "part", "all"]
_Rectangle = tuple[int, int, int, int]  # y from, y to, x from, x to


class Verified:
    """What is verified, as rectangles of each plane that do not overlap; none of it takes memory by the pixel.

    Parameters
    ----------
    shape : tuple of int
        Of the labels; the last two axes are a plane's.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._planes: dict[tuple[int, ...], list[_Rectangle]] = {}

    @classmethod
    def of(cls, contents: Contents, shape: tuple[int, ...]) -> Self:
        """Return what a journal says of labels of this shape."""
        verified = cls(shape)
        for record in contents.records:
            if isinstance(record, Verify):
                verified.mark(record.box, record.on)
        return verified

    def mark(self, box: Box, on: bool) -> None:
        """Declare a box verified, or no longer; one slice an axis, what lies outside the labels is left out."""
        *lead, ys, xs = self._within(box)
        if not ys or not xs:
            return
        new = (ys.start, ys.stop, xs.start, xs.stop)
        for index in product(*lead):
            rest = [r for old in self._planes.get(index, []) for r in _minus(old, new)]
            self._planes[index] = [*rest, new] if on else rest
            if not self._planes[index]:
                del self._planes[index]

    def mask(self, box: Box) -> npt.NDArray[np.bool_]:
        """Return which pixels of a box are verified: bool, of the shape of what of the box lies in the labels."""
        *lead, ys, xs = self._within(box)
        mask = np.zeros([len(axis) for axis in (*lead, ys, xs)], np.bool_)
        for place, plane in zip(np.ndindex(mask.shape[:-2]), product(*lead), strict=True):
            for y0, y1, x0, x1 in self._planes.get(plane, []):
                rows = slice(max(y0 - ys.start, 0), max(y1 - ys.start, 0))
                mask[place][rows, max(x0 - xs.start, 0) : max(x1 - xs.start, 0)] = True
        return mask

    def state(self, plane: tuple[int, ...]) -> State:
        """Return how much of a plane is verified; `plane` is its place along the axes before the last two."""
        area = sum(_area(r) for r in self._planes.get(plane, []))
        return "none" if not area else "all" if area == prod(self.shape[-2:]) else "part"

    def planes(self) -> dict[tuple[int, ...], State]:
        """Return the state of every plane of which something is verified."""
        return {plane: self.state(plane) for plane in sorted(self._planes)}

    def rectangles(self) -> dict[tuple[int, ...], list[_Rectangle]]:
        """Return what is verified of each plane, in order: from and to along Y, then along X, without the ends."""
        return {plane: sorted(self._planes[plane]) for plane in sorted(self._planes)}

    def pixels(self) -> int:
        """Return how many pixels are verified."""
        return sum(_area(r) for plane in self._planes.values() for r in plane)

    def _within(self, box: Box) -> list[range]:
        return [range(max(s.start, 0), max(min(s.stop, n), 0)) for s, n in zip(box, self.shape, strict=True)]


def _area(rectangle: _Rectangle) -> int:
    y0, y1, x0, x1 = rectangle
    return (y1 - y0) * (x1 - x0)


def _minus(old: _Rectangle, new: _Rectangle) -> Iterator[_Rectangle]:
    """Yield what is left of one rectangle without another: above, below, left and right of it."""
    y0, y1, x0, x1 = old
    top, bottom = max(y0, new[0]), min(y1, new[1])
    left, right = max(x0, new[2]), min(x1, new[3])
    if top >= bottom or left >= right:
        yield old
        return
    pieces = (y0, top, x0, x1), (bottom, y1, x0, x1), (top, bottom, x0, left), (top, bottom, right, x1)
    yield from (p for p in pieces if _area(p))
