"""`Sample`: what patches are cut from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.models.normalise import Normalisation

_GREY = 2**14  # values that stand for all of an image: a percentile of them is about right
_PLACES = 100_000  # of a class: enough to draw from, few enough to hold


@dataclass(frozen=True)
class Sample:
    """One volume or stack, ready for patches.

    Attributes
    ----------
    image : ndarray
        Normalised float32, ``(Z, Y, X)``; a 2-D image has one plane.
    target : ndarray or Boxes
        Class of each pixel, int16 ``(Z, Y, X)``, -1 where it is not known; or boxes, whose ``z`` is the plane.
    group, use : str
        As in the recipe.
    weight : ndarray, optional
        Float32 ``(Z, Y, X)``: how much each pixel counts, 0 where it is not verified; for labels of a project.
    normalisation : Normalisation
        What `image` was normalised by; its values stay as they are if it is done again.
    """

    image: npt.NDArray[np.float32]
    target: npt.NDArray[np.int16] | Boxes
    group: str
    use: str
    weight: npt.NDArray[np.float32] | None = None
    normalisation: Normalisation = field(default_factory=Normalisation)

    @property
    def boxes(self) -> Boxes:
        """The target, where it is boxes."""
        if not isinstance(self.target, Boxes):
            raise TypeError("the truth of this sample is labels, not boxes")
        return self.target

    @property
    def labels(self) -> npt.NDArray[np.int16]:
        """The target, where it is labels."""
        if isinstance(self.target, Boxes):
            raise TypeError("the truth of this sample is boxes, not labels")
        return self.target

    @cached_property
    def grey(self) -> npt.NDArray[np.float32]:
        """Values ``(n,)`` that stand for all of the image."""
        every = max(1, self.image.size // _GREY) | 1  # odd, so that a side of a power of two has each column in turn
        return np.ascontiguousarray(self.image.ravel()[::every])

    @cached_property
    def _known_before(self) -> npt.NDArray[np.int64]:
        """How many pixels are known up to the end of each row ``(Z, Y)``, one after the other."""
        return np.cumsum((self.labels >= 0).sum(axis=-1))

    @property
    def known(self) -> int:
        """How many pixels have a known truth."""
        return int(self._known_before[-1])

    def known_pixel(self, number: int) -> tuple[int, ...]:
        """Return the place of the known pixel of this number, from 0 in C order; no list of them is held."""
        row = int(np.searchsorted(self._known_before, number, side="right"))
        before = int(self._known_before[row - 1]) if row else 0
        z, y = divmod(row, self.labels.shape[1])
        return z, y, int(np.flatnonzero(self.labels[z, y] >= 0)[number - before])

    @cached_property
    def class_places(self) -> list[npt.NDArray[np.int64]]:
        """Numbers, in C order, of the pixels of each class above 0 that is there; of many pixels every so manyth."""
        places = (np.flatnonzero(self.labels == value) for value in np.unique(self.labels) if value > 0)
        return [found[:: len(found) // _PLACES + 1].copy() for found in places]
