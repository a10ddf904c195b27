"""`thumbnail`: a small picture of an image, and of what was found in it."""

from __future__ import annotations

from collections.abc import Mapping
from colorsys import hsv_to_rgb
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SIDE = 256
"""Pixels along the longer side of each of the two pictures."""

_READ = 1024  # pixels along a side that are read at most, where there is no pyramid
_GAP = 4
_OPAQUE = 0.55
_BOX = "#e69f00"
_SAMPLES = ("red", "green", "blue")
_GOLDEN = 0.618033988749895  # steps of this share of the circle never come near each other soon

Bytes = npt.NDArray[np.uint8]


def thumbnail(
    image: Image,
    labels: Image | None = None,
    boxes: Boxes | None = None,
    *,
    colors: Mapping[int, str] | None = None,
    channel: int = 0,
) -> bytes:
    """Return a PNG: the image, and beside it the image with labels or boxes on it.

    The middle plane of a volume and the middle frame of a movie are shown. Of a pyramid the smallest level is read that
    is large enough.

    Parameters
    ----------
    image : Image
        Y and X among its axes.
    labels : Image, optional
        On the grid of the image, without channels and colour.
    boxes : Boxes, optional
        In its pixels.
    colors : Mapping of int to str, optional
        ``#rrggbb`` of label values; others are told apart by colours that follow from their number.
    channel : int
        Of the image; colour is shown as such.
    """
    from PIL.Image import Resampling, fromarray, new

    width, height = size = _size(image)
    plain = fromarray(_stretched(_plane(image, channel))).convert("RGB").resize(size, Resampling.BOX)
    shown = plain
    if labels is not None:
        shown = fromarray(_painted(np.asarray(plain), _nearest(_plane(labels, channel), height, width), colors or {}))
    elif boxes is not None:
        shown = _boxed(plain, boxes, image)
    sheet = new("RGB", (2 * width + _GAP, height), "grey")
    sheet.paste(plain, (0, 0))
    sheet.paste(shown, (width + _GAP, 0))
    stream = BytesIO()
    # Noise is hard to compress: a palette makes a third of it.
    sheet.quantize(256).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _middle(image: Image) -> dict[str, int]:
    """Return the index that is shown along each axis but Y, X, C and S."""
    return {a: n // 2 for a, n in zip(image.axes, image.shape, strict=True) if a not in "YXCS"}


def _size(image: Image) -> tuple[int, int]:
    """Return width and height of a picture."""
    height, width = (image.shape[image.axis(a)] for a in "YX")
    factor = SIDE / max(height, width)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _plane(image: Image, channel: int) -> npt.NDArray[Any]:
    """Return the plane that is shown, YX or YXS, of a level that is large enough."""
    axes, y, x = image.axes, image.axis("Y"), image.axis("X")
    level = next((v for v in reversed(image.levels) if max(v.shape[y], v.shape[x]) >= SIDE), image.levels[0])
    step = -(-max(level.shape[y], level.shape[x]) // _READ)
    colour = "C" in axes and image.channel_names[:3] == _SAMPLES  # what OME-Zarr makes of colour
    index: dict[str, Any] = {"Y": slice(None, None, step), "X": slice(None, None, step), "S": slice(0, 3)}
    index["C"] = slice(0, 3) if colour else channel
    for axis, i in _middle(image).items():
        # Levels have fewer planes.
        index[axis] = i * level.shape[image.axis(axis)] // image.shape[image.axis(axis)]
    plane = np.asarray(level[tuple(index[a] for a in axes)])
    left = [a for a in axes if isinstance(index[a], slice)]
    plane = plane.transpose([left.index(a) for a in sorted(left, key="YXCS".index)])
    return plane if plane.ndim == 2 or plane.shape[2] == 3 else plane[..., 0]


def _stretched(plane: npt.NDArray[Any]) -> Bytes:
    """Return grey values or colours as bytes, from the darkest to the brightest but for a few."""
    values = np.nan_to_num(plane.astype(np.float32), posinf=0, neginf=0)
    low, high = np.percentile(values, (0.5, 99.5))
    stretched: Bytes = (np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255).astype(np.uint8)
    return stretched


def _nearest(plane: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    y, x = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip((height, width), plane.shape, strict=True))
    nearest: npt.NDArray[Any] = plane[y[:, None], x]
    return nearest


def _painted(picture: Bytes, values: npt.NDArray[Any], colors: Mapping[int, str]) -> Bytes:
    known, places = np.unique(values, return_inverse=True)
    palette = np.array([_color(int(v), colors) for v in known], np.float32)
    mixed = picture * (1 - _OPAQUE) + palette[places.reshape(values.shape)] * _OPAQUE
    painted: Bytes = np.where(values[..., None] == 0, picture, mixed).astype(np.uint8)
    return painted


def _color(value: int, colors: Mapping[int, str]) -> tuple[float, ...]:
    if value in colors:
        return tuple(bytes.fromhex(colors[value].removeprefix("#")))
    return tuple(255 * c for c in hsv_to_rgb(value * _GOLDEN % 1, 0.5 + 0.5 * (value * _GOLDEN**2 % 1), 1))


def _boxed(plain: Picture, boxes: Boxes, image: Image) -> Picture:
    from PIL import ImageDraw

    shown, at = plain.copy(), _middle(image)
    draw = ImageDraw.Draw(shown)
    factor = shown.width / image.shape[image.axis("X")]
    here = boxes[(boxes.frame == at.get("T", 0)) & (boxes.z == at.get("Z", 0))]
    for top, left, bottom, right in (here.corners + 0.5) * factor:  # whole numbers are centres of pixels
        draw.rectangle((left, top, right, bottom), outline=_BOX)
    return shown
