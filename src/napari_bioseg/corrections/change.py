"""One step of a correction: which pixels changed, from what to what.

A step is exact both ways, so that the journal can replay it and undo can take it back, and it holds the changed pixels
alone, so that its size does not depend on the size of the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Box = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Patch:
    """Changed pixels in a box of the labels.

    Attributes
    ----------
    start : tuple of int
        First corner of the box, one an axis of the labels.
    mask : numpy.ndarray
        Bool, of the shape of the box: the pixels that changed.
    before, after : numpy.ndarray
        Uint32: the values under the mask in C order, or a single one (shape ``()``) for all of them.
    """

    start: tuple[int, ...]
    mask: npt.NDArray[np.bool_]
    before: npt.NDArray[np.uint32]
    after: npt.NDArray[np.uint32]

    @property
    def box(self) -> Box:
        """The box as slices."""
        return tuple(slice(s, s + n) for s, n in zip(self.start, self.mask.shape, strict=True))

    @classmethod
    def between(cls, start: Sequence[int], before: npt.NDArray[Any], after: npt.NDArray[Any]) -> Patch | None:
        """Return what differs between two states of one box, cropped to it; None when nothing does.

        Parameters
        ----------
        start : sequence of int
            First corner of the box in the labels.
        before, after : numpy.ndarray
            Labels of one shape.
        """
        differs = before != after
        if not differs.any():
            return None
        crop = bounding_box(differs)
        mask = differs[crop].copy()
        corner = tuple(int(s) + c.start for s, c in zip(start, crop, strict=True))
        return cls(corner, mask, _squeezed(before[crop][mask]), _squeezed(after[crop][mask]))

    def put(self, labels: Any, values: npt.NDArray[np.uint32]) -> None:
        """Write values under the mask; `labels` is a numpy or zarr array, which is only sliced."""
        region = np.asarray(labels[self.box])
        region[self.mask] = values
        labels[self.box] = region


@dataclass(frozen=True, eq=False)
class Change:
    """One step as the user sees it: a stroke, a fill, a use of a tool.

    Attributes
    ----------
    tool : str
        What made it: ``"paint"``, ``"merge"``, ...
    patches : tuple of Patch
        In the order in which they were made; they may overlap.
    """

    tool: str
    patches: tuple[Patch, ...]

    @property
    def box(self) -> Box:
        """The smallest box around all patches."""
        boxes = [p.box for p in self.patches]
        return tuple(slice(min(b[i].start for b in boxes), max(b[i].stop for b in boxes)) for i in range(len(boxes[0])))

    def apply(self, labels: Any) -> None:
        """Make the step in a numpy or zarr array."""
        for patch in self.patches:
            patch.put(labels, patch.after)

    def revert(self, labels: Any) -> None:
        """Take the step back."""
        for patch in reversed(self.patches):
            patch.put(labels, patch.before)


def bounding_box(mask: npt.NDArray[np.bool_]) -> Box:
    """Return the smallest box around the True pixels of a mask that has some."""
    spans = []
    for axis in range(mask.ndim):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        spans.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(spans)


def _squeezed(values: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    wanted = values.astype(np.uint32)
    return wanted[0].reshape(()) if (wanted == wanted[0]).all() else wanted
