"""TIFF, OME-TIFF, ImageJ hyperstacks, BigTIFF, whole-slide pyramids: lazily, through tifffile."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import tifffile
import zarr

from napari_bioseg.core.axes import KNOWN
from napari_bioseg.io.arrangement import UNKNOWN
from napari_bioseg.io.lazy import MappedFile, grown_chunks, lazy, piece_chunks
from napari_bioseg.io.raw import RawImage, SeriesInfo, check_series, image_name, series_info
from napari_bioseg.io.tiff_calibration import calibrate, channel_names, own_notes
from napari_bioseg.io.tiff_check import check_whole

# tifffile logs odd tags as warnings; what matters we check ourselves, and a command line stays clean.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

PAGE_BYTES = 64 * 2**20
OTHER_LETTERS = {"E": "C", "P": "R", "M": "R"}  # emission wavelength; position and mosaic tile


def read(path: Path, series: int) -> RawImage:
    """Open one series.

    Raises
    ------
    UnreadableFileError
        The file is truncated, or there is no such series.
    """
    # Closed at the end: a compressed series opens the file anew for each of its chunks.
    with tifffile.TiffFile(path) as tif:
        check_whole(tif, path)
        check_series(series, len(tif.series), path)
        chosen = tif.series[series]
        levels = tuple(_level(level, path) for level in chosen.levels)
        missing = sum(page is None for page in chosen)
        metadata: dict[str, Any] = {"missing_planes": missing} if missing else {}
        notes = own_notes(tif)
        if "provenance" in notes:
            metadata["provenance"] = notes["provenance"]
        return RawImage(
            levels=levels,
            axes=house_letters(chosen.axes),
            calibration=calibrate(tif, series),
            name=_name(path, chosen, len(tif.series)),
            channel_names=channel_names(tif, series),
            metadata=metadata,
        )


def list_series(path: Path) -> tuple[SeriesInfo, ...]:
    """Describe every series."""
    with tifffile.TiffFile(path) as tif:
        check_whole(tif, path)
        return tuple(series_info(s.name, house_letters(s.axes), s.shape, s.dtype, path) for s in tif.series)


def house_letters(axes: str) -> str:
    """Turn tifffile's axis codes into ours; what has no name with us becomes unknown."""
    letters = ""
    for a in axes:
        other = OTHER_LETTERS.get(a, a)
        letters += other if other in KNOWN and (other == a or other not in axes) else UNKNOWN
    return letters


def _name(path: Path, series: tifffile.TiffPageSeries, count: int) -> str:
    stem = image_name(path)
    return f"{stem} {series.name}".strip() if count > 1 else stem


def _mapped_offset(level: tifffile.TiffPageSeries) -> int | None:
    return level.dataoffset if level.keyframe.is_memmappable else None


def _chunk_mode(level: tifffile.TiffPageSeries) -> str | None:
    # A strip of few rows is no useful chunk, a large page neither.
    keyframe = level.keyframe
    return None if keyframe.is_tiled or keyframe.nbytes > PAGE_BYTES else "page"


def _level(level: tifffile.TiffPageSeries, path: Path) -> da.Array:
    axes, shape = level.axes, tuple(int(n) for n in level.shape)
    offset = _mapped_offset(level)
    if offset is not None:
        dtype = np.dtype(level.keyframe.parent.byteorder + level.dtype.char)
        source = MappedFile(Path(level.keyframe.parent.filehandle.path), offset, shape, dtype)
        inner = 3 if axes.endswith("S") else 2
        return lazy(source, path, piece_chunks(shape, dtype.itemsize, inner))
    array = zarr.open_array(level.aszarr(level=0, chunkmode=_chunk_mode(level), _openfiles=0), mode="r")
    plane = (axes.find("Y"), axes.find("X"))
    return lazy(array, path, grown_chunks(array.chunks, shape, array.dtype.itemsize, plane))
