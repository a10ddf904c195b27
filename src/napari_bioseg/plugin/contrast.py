"""Contrast limits from a small sample, so that opening an image does not read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import dask.array as da

SIDE = 1024
PERCENTILES = (0.1, 99.9)


def contrast_limits(coarsest: da.Array) -> tuple[float, float] | None:
    """Return black and white point of an image from the centre of its middle plane.

    Parameters
    ----------
    coarsest : dask.array.Array
        The smallest resolution level; the last two axes are Y and X.

    Returns
    -------
    tuple of float or None
        None for 8-bit images: napari shows their whole range without reading them.
    """
    if coarsest.dtype.kind == "b":
        return 0.0, 1.0
    if coarsest.dtype == np.uint8:
        return None
    middle = tuple(n // 2 for n in coarsest.shape[:-2])
    window = tuple(_centre(n) for n in coarsest.shape[-2:])
    values = np.asarray(coarsest[(*middle, *window)], dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, PERCENTILES))
    # A flat sample has no range; napari refuses equal limits.
    return (low, high) if high > low else (low, low + 1.0)


def _centre(n: int) -> slice:
    start = max(0, (n - SIDE) // 2)
    return slice(start, min(n, start + SIDE))
