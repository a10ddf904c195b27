"""What a table says of each object."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.image import Image
from napari_bioseg.postprocess.measure import Measures

Columns = dict[str, npt.NDArray[Any]]


def size_columns(every: Measures, space: str, image: Image | None, *, planar: bool) -> Columns:
    """Return pixels, and area or volume where the pixel size along all axes of `space` is known.

    Parameters
    ----------
    every : Measures
    space : str
        The axes that they were measured along.
    image : Image or None
    planar : bool
        Whether areas are wanted also in a stack.
    """
    across = space[-2:] if planar else space
    steps = () if image is None else image.pixel_size(across)
    known = [step for step in steps if step is not None]
    if len(known) < len(across):
        return {"pixels": every.pixels}
    name = "volume_um3" if len(across) > 2 else "area_um2"
    return {"pixels": every.pixels, name: every.pixels * prod(known)}


def place_columns(every: Measures, space: str, image: Image | None) -> Columns:
    """Return the centroid in pixels, and in the world where this is known, and the bounding box."""
    centroid = every.sums / every.pixels[:, None]
    letters = space.lower()
    columns: Columns = {f"{a}_px": centroid[:, i] for i, a in enumerate(letters)}
    for i, step in enumerate(() if image is None else image.pixel_size(space)):
        if image is not None and step is not None:
            columns[f"{letters[i]}_um"] = centroid[:, i] * step + image.translate[image.axis(space[i])]
    columns |= {f"{a}_min": every.first[:, i] for i, a in enumerate(letters)}
    return columns | {f"{a}_max": every.last[:, i] for i, a in enumerate(letters)}


def grey_columns(every: Measures) -> Columns:
    """Return mean, least, most and standard deviation of the grey values."""
    return {
        "intensity_mean": every.mean,
        "intensity_min": every.least,
        "intensity_max": every.most,
        "intensity_sd": np.sqrt(every.squares / every.pixels),
    }
