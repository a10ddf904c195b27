"""Grey values of one channel of an image: what networks see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.image import Image

if TYPE_CHECKING:
    import dask.array as da

_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


def grey_values(image: Image, channel: int) -> tuple[da.Array, str, str | None]:
    """Return one channel of an image as a lazy array, its axes, and what the user should know about the choice.

    Raises
    ------
    RecipeError
        The image has no such channel.
    """
    data, axes, note = image.data, image.axes, None
    if "S" in axes:
        data, note = _luminance(data, axes.index("S")), "the image is in colour; its luminance is segmented"
        axes = axes.replace("S", "")
    count = data.shape[axes.index("C")] if "C" in axes else 1
    if channel >= count:
        raise RecipeError(f"channel {channel}", f"{image.name} has {count}", "Channels are counted from 0")
    if "C" in axes:
        data = _pick(data, axes.index("C"), channel)
        axes = axes.replace("C", "")
    if count > 1:
        name = f" ({image.channel_names[channel]})" if channel < len(image.channel_names) else ""
        note = f"channel {channel}{name} of {count} is segmented"
    return data, axes, note


def _luminance(data: da.Array, axis: int) -> da.Array:
    samples = [_pick(data, axis, i) for i in range(min(3, data.shape[axis]))]
    if len(samples) < 3:
        return samples[0]
    red, green, blue = (s * np.float32(w) for s, w in zip(samples, _LUMINANCE, strict=True))
    grey: da.Array = red + green + blue
    return grey


def _pick(data: da.Array, axis: int, i: int) -> da.Array:
    picked: da.Array = data[(slice(None),) * axis + (i,)]
    return picked
