"""Which classes are taken for which."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def confusion_matrix(found: npt.NDArray[Any], truth: npt.NDArray[Any], classes: int) -> npt.NDArray[np.int64]:
    """Count the pixels of each true class by the class that they were found to be.

    Parameters
    ----------
    found : ndarray of int
        Classes, 0 background.
    truth : ndarray of int
        Same shape; pixels below 0 are not known and do not count.
    classes : int
        How many there are besides the background.

    Returns
    -------
    ndarray of int64
        ``(classes + 1, classes + 1)``, pixels: a row a true class, a column a found one, background first.

    Raises
    ------
    ValueError
        The shapes differ, or a value is no class.
    """
    if found.shape != truth.shape:
        raise ValueError(f"found has shape {found.shape}, truth has {truth.shape}")
    known, n = truth >= 0, classes + 1
    pairs = truth[known].astype(np.int64) * n + found[known]
    if pairs.size and (truth[known].max() > classes or not 0 <= found[known].min() <= found[known].max() <= classes):
        raise ValueError(f"classes are 0 to {classes}")
    counts: npt.NDArray[np.int64] = np.bincount(pairs, minlength=n * n).reshape(n, n)
    return counts
