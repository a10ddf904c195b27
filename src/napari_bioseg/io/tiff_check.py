"""Notice a truncated TIFF when it is opened, not when a tile is read later."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import tifffile

from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.io.tiff_calibration import named, ome_root

# Bytes of the TIFF value types, and the tags without which pixels or their meaning are lost (others may be broken).
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
ESSENTIAL = {256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 322, 323, 324, 325, 330, 50838, 50839}
FIX = "The file was cut short; copy or save it again"


def check_whole(tif: tifffile.TiffFile, path: Path) -> None:
    """Check that directories and pixel data lie within the file.

    Planes that the metadata announce but no file holds (an acquisition that was stopped) are no error.

    Raises
    ------
    UnreadableFileError
        A directory or pixel data lie beyond the end of the file, there is no image, or a file of the set is missing.
    """
    if not tif.is_ndpi and not _chain_ends(path):
        raise UnreadableFileError(str(path), "is truncated: a page directory lies beyond its end", FIX)
    if not tif.series:
        raise UnreadableFileError(str(path), "cannot be read as TIFF: no page of it holds an image", FIX)
    _check_stack(tif, path)
    missing = 0
    for series in tif.series:
        offset = series.dataoffset
        if offset is not None and offset + series.nbytes > tif.filehandle.size:
            raise UnreadableFileError(str(path), "is truncated: pixel data lie beyond its end", FIX)
        for level in series.levels:
            missing += _check_pages(level)
    if missing:
        _check_partners(tif, path)


def _check_stack(tif: tifffile.TiffFile, path: Path) -> None:
    # Where planes without directories of their own do not fit into the file, tifffile falls back to the first plane.
    planes = int((tif.imagej_metadata or {}).get("images", 1))
    if tif.series[0].kind in ("uniform", "generic") and planes > len(tif.pages):
        problem = f"is truncated: it announces {planes} planes and holds {len(tif.pages)} whole"
        raise UnreadableFileError(str(path), problem, FIX)


def _check_pages(level: tifffile.TiffPageSeries) -> int:
    missing = 0
    for page in level.pages:
        if page is None:
            missing += 1
            continue
        spans = zip(page.dataoffsets, page.databytecounts, strict=False)
        end = max((offset + count for offset, count in spans if count), default=0)
        if end > page.parent.filehandle.size:
            where = Path(page.parent.filehandle.path)
            raise UnreadableFileError(str(where), "is truncated: pixel data lie beyond its end", FIX)
    return missing


def _check_partners(tif: tifffile.TiffFile, path: Path) -> None:
    # Planes are missing: a file of the set has gone, or the acquisition was stopped (then no file is missed).
    root = ome_root(tif)
    names = set() if root is None else {e.get("FileName") for e in named(root, "UUID")}
    gone = sorted(name for name in names if name and not (path.parent / Path(name).name).exists())
    if gone:
        problem = f"{len(gone)} file(s) of its set are missing, e.g. {gone[0]}"
        raise UnreadableFileError(str(path), problem, "Put them beside it")


def _chain_ends(path: Path) -> bool:
    """Whether the linked list of page directories comes to its end within the file (TIFF 6.0, p. 13; BigTIFF)."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        order, big = _header(handle)
        count_format, entry, pointer = ("Q", 20, "Q") if big else ("H", 12, "I")
        handle.seek(8 if big else 4)
        offset = _unpack(handle, order + pointer)
        seen: set[int] = set()
        while offset and offset not in seen:
            seen.add(offset)
            if offset >= size:
                return False
            handle.seek(offset)
            count = _unpack(handle, order + count_format)
            after = handle.tell() + count * entry
            if after + struct.calcsize(pointer) > size:
                return False
            if _reach(handle.read(count * entry), order, big=big) > size:
                return False
            offset = _unpack(handle, order + pointer)
    return True


def _reach(entries: bytes, order: str, *, big: bool) -> int:
    """Return where the furthest value of a directory's essential tags ends; values that fit lie in the entry itself."""
    layout, room = (order + "HHQQ", 8) if big else (order + "HHII", 4)
    ends = [0]
    for tag, kind, count, offset in struct.iter_unpack(layout, entries):
        size = count * SIZES.get(kind, 0)
        if tag in ESSENTIAL and size > room:
            ends.append(offset + size)
    return max(ends)


def _header(handle: BinaryIO) -> tuple[str, bool]:
    start = handle.read(4)
    order = "<" if start[:2] == b"II" else ">"
    return order, struct.unpack(order + "H", start[2:])[0] == 43


def _unpack(handle: BinaryIO, layout: str) -> int:
    # A directory cut in the middle reads as one that lies beyond the end.
    data = handle.read(struct.calcsize(layout))
    return int(struct.unpack(layout, data)[0]) if len(data) == struct.calcsize(layout) else 2**63
