"""Cores: what a network learns beside the classes, so that objects that touch can be told apart.

The core of an object is where it is deep: at least a given share of its greatest depth away from what is not of it. So
every object has one, however small or thin it is, a tail has none of its own, and the cores of objects that touch do
not. It is the energy of the deep watershed (Bai and Urtasun, CVPR 2017, arXiv:1611.08303), cut at one level.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label

_DEPTH = 0.4  # of the greatest depth of an object, from which on it is core

Target = npt.NDArray[np.int16]


def mark_cores(target: Target, objects: npt.NDArray[np.integer], classes: int) -> Target:
    """Return a target in which the cores of objects are told from their rims, plane by plane.

    Parameters
    ----------
    target : ndarray of int16
        ``(Z, Y, X)``: classes from 1 to `classes`, 0 background, -1 not known.
    objects : ndarray of int
        Of the same shape: connected pixels of one class and one number are one object.
    classes : int
        How many there are.

    Returns
    -------
    ndarray of int16
        In a core, the class + `classes`; else as before.
    """
    marked = target.copy()
    for plane, numbers in zip(marked, objects, strict=True):
        for value in range(1, classes + 1):
            plane[_cores(np.where(plane == value, numbers.astype(np.int64) + 1, 0), plane >= 0)] = value + classes
    return marked


def without_cores(target: Target, classes: int) -> Target:
    """Undo `mark_cores`."""
    return np.where(target > classes, target - classes, target).astype(np.int16)


def _cores(numbers: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    parts = label(numbers, background=0, connectivity=1)
    rim = np.zeros(parts.shape, bool)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        # Next to what is not known an object may go on.
        differ = (parts[one] != parts[other]) & known[one] & known[other]
        rim[one] |= differ
        rim[other] |= differ
    if not rim.any():
        return np.asarray(parts > 0)
    depth = ndimage.distance_transform_edt(~rim)
    greatest = np.asarray(ndimage.maximum(depth, parts, np.arange(parts.max() + 1)))
    return np.asarray((parts > 0) & (depth >= _DEPTH * greatest[parts]))
