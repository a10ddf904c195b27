"""Flips and right-angle turns of an image, which leave what is in it the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.image import Image


@dataclass(frozen=True)
class Symmetry:
    """Flips along some axes, then perhaps Y and X exchanged.

    Attributes
    ----------
    flips : str
        Axes that are reversed.
    transposed : bool
        Whether Y and X change places after that.
    """

    flips: str = ""
    transposed: bool = False

    def apply(self, image: Image) -> Image:
        """Return the image turned, lazily; its Y is along the axis named Y still, with the pixel size found there."""
        order = list(range(len(image.axes)))
        if self.transposed:
            y, x = image.axes.index("Y"), image.axes.index("X")
            order[y], order[x] = x, y
        flipped = image.data[tuple(slice(None, None, -1 if a in self.flips else 1) for a in image.axes)]
        return replace(
            image,
            levels=(flipped.transpose(order),),
            scale=tuple(image.scale[i] for i in order),
            units=tuple(image.units[i] for i in order),
            translate=tuple(image.translate[i] for i in order),
            level_scales=(),
            labels=(),
        )

    def place(self, box: Sequence[slice], axes: str, shape: Sequence[int]) -> tuple[slice, ...]:
        """Return where a box of an array with these axes and shape lies once the array is turned."""
        spans = {
            a: slice(n - s.stop, n - s.start) if a in self.flips else s
            for a, s, n in zip(axes, box, shape, strict=True)
        }
        if self.transposed:
            spans["Y"], spans["X"] = spans["X"], spans["Y"]
        return tuple(spans[a] for a in axes)

    def undo(self, values: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
        """Return turned values ``(..., *axes)`` turned back."""
        first = values.ndim - len(axes)
        if self.transposed:
            values = np.swapaxes(values, first + axes.index("Y"), first + axes.index("X"))
        back: npt.NDArray[Any] = np.flip(values, tuple(first + axes.index(a) for a in self.flips))
        return back


_IN_PLANE = tuple(Symmetry(flips, transposed) for transposed in (False, True) for flips in ("", "YX", "Y", "X"))


def symmetries(model_axes: str) -> tuple[Symmetry, ...]:
    """Return the flips and right-angle turns in the plane of what a model sees, the image as it is first.

    8 in 2-D. In 3-D 16: each of the 8 as it is and flipped along Z, in such an order that the first 8 hold every turn
    once, half of them flipped along Z.
    """
    if "Z" not in model_axes:
        return _IN_PLANE
    return tuple(
        replace(s, flips=s.flips + "Z" * ((i + half) % 2)) for half in range(2) for i, s in enumerate(_IN_PLANE)
    )
