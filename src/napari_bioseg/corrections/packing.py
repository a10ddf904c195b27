"""A patch as plain JSON: pixels are compressed and written as base64."""

from __future__ import annotations

import base64
import zlib
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.corrections.change import Patch

LARGEST = np.iinfo(np.uint32).max
_FASTEST = 1  # of zlib: a stroke must be on disk before the next one ends


def pack_patch(patch: Patch) -> dict[str, Any]:
    """Return the row of a patch: ``start, shape, mask, before, after``."""
    return {
        "start": [int(n) for n in patch.start],
        "shape": list(patch.mask.shape),
        "mask": None if patch.mask.all() else pack_mask(patch.mask),
        "before": _pack_values(patch.before),
        "after": _pack_values(patch.after),
    }


def unpack_patch(row: dict[str, Any], within: tuple[int, ...] | None = None) -> Patch:
    """Return the patch of a row; nothing is decompressed beyond the size that the row's shape says.

    Parameters
    ----------
    row : dict
        What `pack_patch` made.
    within : tuple of int, optional
        Shape of the labels; a box that is not inside is refused before its pixels are read.

    Raises
    ------
    KeyError, TypeError, ValueError, zlib.error
        The row is not what it should be.
    """
    start, shape = (tuple(whole(n) for n in row[key]) for key in ("start", "shape"))
    if not shape or 0 in shape:
        raise ValueError("an empty box")
    ends = [s + n for s, n in zip(start, shape, strict=True)]
    if within is not None and any(end > n for end, n in zip(ends, within, strict=True)):
        raise ValueError("a box outside the labels")
    mask = unpack_mask(row["mask"], shape)
    count = prod(shape) if row["mask"] is None else int(np.count_nonzero(mask))
    return Patch(start, mask, _unpack_values(row["before"], count), _unpack_values(row["after"], count))


def pack_mask(mask: npt.NDArray[np.bool_]) -> str:
    """Return a mask as text: in C order, eight to a byte, the first in the highest bit."""
    return _deflate(np.packbits(mask).tobytes())


def unpack_mask(text: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return the mask of a text; None stands for one that is True everywhere.

    Raises
    ------
    TypeError, ValueError, zlib.error
        It is no mask of that shape.
    """
    if text is None:
        return np.broadcast_to(np.True_, shape)  # a view that takes no memory
    size = prod(shape)
    raw = np.frombuffer(_inflate(text, -(-size // 8)), np.uint8)
    return np.unpackbits(raw, count=size).view(np.bool_).reshape(shape)


def whole(value: Any) -> int:
    """Return a whole number from 0 on; anything else, also ``True`` and ``1.0``, raises `ValueError`."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r:.40} is no whole number from 0 on")
    return value


def _pack_values(values: npt.NDArray[np.uint32]) -> int | str:
    return _deflate(values.astype("<u4").tobytes()) if values.ndim else int(values)


def _unpack_values(said: Any, count: int) -> npt.NDArray[np.uint32]:
    if isinstance(said, str):
        return np.frombuffer(_inflate(said, 4 * count), "<u4").astype(np.uint32, copy=False)
    if whole(said) > LARGEST:
        raise ValueError("a label above 4294967295")
    return np.array(said, np.uint32)


def _deflate(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, _FASTEST)).decode("ascii")


def _inflate(text: str, size: int) -> bytes:
    inflater = zlib.decompressobj()
    raw = inflater.decompress(base64.b64decode(text, validate=True), size + 1)
    if len(raw) != size or not inflater.eof or inflater.unused_data:
        raise ValueError("pixels that do not fit their box")
    return raw
