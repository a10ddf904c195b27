"""`Part`: verified planes of a project, as a run keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_bioseg.corrections.corrected import Corrected


@dataclass(frozen=True, eq=False)
class Part:
    """Verified planes of a project.

    Attributes
    ----------
    planes : ndarray
        Int64 ``(P,)``, their numbers.
    labels : ndarray
        Uint32 ``(P, Y, X)``, 0 where they are not verified.
    verified, changed : ndarray
        Bool ``(P, Y, X)``: declared truth, and of that what differs from the prediction.
    """

    planes: npt.NDArray[np.int64]
    labels: npt.NDArray[np.uint32]
    verified: npt.NDArray[np.bool_]
    changed: npt.NDArray[np.bool_]

    @property
    def sha256(self) -> str:
        """Checksum of all of it."""
        digest = hashlib.sha256(repr(self.labels.shape).encode())
        for array, kind in ((self.planes, "<i8"), (self.labels, "<u4"), (self.verified, "u1"), (self.changed, "u1")):
            digest.update(np.ascontiguousarray(array, dtype=kind).data)
        return digest.hexdigest()


def take_part(corrected: Corrected, planes: Sequence[int]) -> Part:
    """Return these planes of corrected labels, which have no or one axis before Y and X."""
    places = [(p,) * (corrected.labels.ndim - 2) for p in planes]
    y, x = (slice(0, n) for n in corrected.labels.shape[-2:])
    shape = (len(planes), y.stop, x.stop)
    labels, verified, changed = np.zeros(shape, np.uint32), np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for i, place in enumerate(places):
        verified[i] = corrected.verified.mask((*(slice(p, p + 1) for p in place), y, x)).reshape(shape[1:])
        labels[i] = np.where(verified[i], corrected.labels[place], 0)
        changed[i] = verified[i] & corrected.changed(place)
    return Part(np.array(planes, np.int64), labels, verified, changed)
