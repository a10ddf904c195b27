"""PNG and JPEG: decoded when opened, since neither can be read in part."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.io.lazy import lazy
from napari_bioseg.io.raw import RawImage, SeriesInfo, check_series, series_info

JPEG_HEAD = 2**20  # bytes; the frame comes after metadata, each segment of which has up to 64 KiB
TAIL = 2**16
FIX = "The file was cut short; copy or save it again"


def read(path: Path, series: int) -> RawImage:
    """Open a PNG or JPEG.

    Raises
    ------
    UnreadableFileError
        The file is truncated, or there is no such series.
    """
    check_series(series, 1, path)
    pixels = decode(path)
    return RawImage(levels=(lazy(pixels, path, pixels.shape),), axes=plane_axes(pixels.ndim))


def list_series(path: Path) -> tuple[SeriesInfo, ...]:
    """Describe the one image of the file."""
    pixels = decode(path)
    return (series_info("", plane_axes(pixels.ndim), pixels.shape, pixels.dtype, path),)


def plane_axes(ndim: int) -> str:
    """Return ``"YX"`` or ``"YXS"``."""
    return "YXS"[:ndim]


def decode(path: Path) -> npt.NDArray[Any]:
    """Decode a file; shape (Y, X) or (Y, X, S).

    Raises
    ------
    UnreadableFileError
        The file is truncated.
    """
    data = path.read_bytes()
    if not is_whole(data):
        raise UnreadableFileError(str(path), "is truncated: its end mark is missing", FIX)
    codec = imagecodecs.png_decode if data.startswith(b"\x89PNG") else imagecodecs.jpeg_decode
    return np.asarray(codec(data))


def look(path: Path) -> tuple[int, ...]:
    """Return what `header` says of a file, of which only the head and the end are read.

    Raises
    ------
    UnreadableFileError
        The file is truncated.
    """
    with path.open("rb") as handle:
        head = handle.read(33)  # PNG's signature and its first chunk
        if not head.startswith(b"\x89PNG"):
            head += handle.read(JPEG_HEAD)
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - TAIL))
        end = handle.read()
    # A JPEG may carry more than `TAIL` behind its end mark.
    if not _ends(head, end, size) and not is_whole(path.read_bytes()):
        raise UnreadableFileError(str(path), "is truncated: its end mark is missing", FIX)
    return header(head)


def is_whole(data: bytes) -> bool:
    """Whether the end mark is there: IEND of PNG, EOI of JPEG (a thumbnail in its head has one of its own)."""
    return _ends(data, data, len(data))


def _ends(head: bytes, end: bytes, size: int) -> bool:
    if head.startswith(b"\x89PNG"):
        return b"IEND" in end[-64:]
    mark = end.rfind(b"\xff\xd9")
    return mark >= 0 and size - len(end) + mark > size // 2


def header(data: bytes) -> tuple[int, ...]:
    """Return numbers that are equal for images of equal shape and type: height, width, bits, colour type."""
    if data.startswith(b"\x89PNG"):
        width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        return height, width, data[24], data[25]
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a start of frame (ITU-T T.81, table B.1)
            frame = data[at + 4 : at + 10]
            return int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big"), frame[0], frame[5]
        at += 2 + size
    return ()
