"""A folder of numbered planes as one stack."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.io import raster, tiff
from napari_bioseg.io.arrangement import UNKNOWN
from napari_bioseg.io.lazy import lazy
from napari_bioseg.io.raw import RawImage, SeriesInfo, check_series, series_info
from napari_bioseg.io.tiff_check import check_whole

TIFF_NAMES = (".tif", ".tiff")
RASTER_NAMES = (".png", ".jpg", ".jpeg")


def read(path: Path, series: int) -> RawImage:
    """Open a folder as a stack in natural order (``p2`` before ``p10``); a single file is opened as itself.

    Raises
    ------
    UnreadableFileError
        No images, planes of different shapes, stacks instead of planes, a damaged plane, no such series.
    """
    check_series(series, 1, path)
    files = plane_files(path)
    first = _open(files[0])
    if len(files) == 1:
        return first
    _check_plane(files[0], first.axes)
    _check_alike(files)
    level = first.levels[0]
    stack = PlaneFiles(files, level.shape, level.dtype)
    return RawImage(
        levels=(lazy(stack, path, (1, *level.shape)),),
        axes=UNKNOWN + first.axes,
        calibration=first.calibration,
        name=path.name,
        channel_names=first.channel_names,
    )


def list_series(path: Path) -> tuple[SeriesInfo, ...]:
    """Describe the one stack of the folder."""
    raw = read(path, 0)
    level = raw.levels[0]
    return (series_info(path.name, raw.axes, tuple(level.shape), level.dtype, path),)


class PlaneFiles:
    """Planes in files, stacked along a new first axis; a file is read when its plane is asked for.

    Parameters
    ----------
    files : tuple of Path
        In order.
    shape : tuple of int
        Of one plane.
    dtype : numpy.dtype
        Of one plane.
    """

    def __init__(self, files: tuple[Path, ...], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._files = files
        self.shape, self.dtype = (len(files), *shape), dtype

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read the planes that the first index names, and cut the rest out of them."""
        keys = key if isinstance(key, tuple) else (key,)
        which = range(len(self._files))[keys[0]]
        if isinstance(which, int):
            return _pixels(self._files[which])[keys[1:]]
        return np.stack([_pixels(self._files[i])[keys[1:]] for i in which])


def plane_files(folder: Path) -> tuple[Path, ...]:
    """Return the image files of a folder in natural order, hidden ones left out.

    Raises
    ------
    UnreadableFileError
        There is none.
    """
    kinds = TIFF_NAMES + RASTER_NAMES
    files = [f for f in folder.iterdir() if f.suffix.lower() in kinds and not f.name.startswith(".") and f.is_file()]
    if not files:
        raise UnreadableFileError(
            str(folder), "holds no images", f"Give a folder of {', '.join(kinds)} files or a file"
        )
    return tuple(sorted(files, key=lambda f: natural(f.name)))


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which numbers within names count as numbers."""
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p.lower()) for p in re.split(r"(\d+)", name) if p]


def _open(file: Path) -> RawImage:
    return tiff.read(file, 0) if file.suffix.lower() in TIFF_NAMES else raster.read(file, 0)


def _pixels(file: Path) -> npt.NDArray[Any]:
    return np.asarray(tifffile.imread(file) if file.suffix.lower() in TIFF_NAMES else raster.decode(file))


def _check_plane(file: Path, axes: str) -> None:
    if set(axes) - set("YXS"):
        raise UnreadableFileError(str(file), "is a stack, not a plane", "Open the files of this folder one by one")


def _check_alike(files: tuple[Path, ...]) -> None:
    heads = {file: _header(file) for file in files}
    usual = Counter(heads.values()).most_common(1)[0][0]
    for file, head in heads.items():
        if head != usual:
            problem = f"differs from the other planes in shape or type ({_words(head)}, the others {_words(usual)})"
            raise UnreadableFileError(str(file), problem, "Take it out of the folder")


def _header(file: Path) -> tuple[Any, ...]:
    if file.suffix.lower() not in TIFF_NAMES:
        return raster.look(file)
    try:
        with tifffile.TiffFile(file) as tif:
            check_whole(tif, file)
            return (*tif.series[0].shape, str(tif.series[0].dtype), tif.series[0].axes)
    except tifffile.TiffFileError as error:
        raise UnreadableFileError(str(file), f"is no TIFF file ({error})", "Take it out of the folder") from error


def _words(head: tuple[Any, ...]) -> str:
    return " ".join(str(part) for part in head)
