"""`open_image`: one door for every format."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from napari_bioseg.core.errors import BiosegError, UnreadableFileError
from napari_bioseg.core.image import Image
from napari_bioseg.io.raw import SeriesInfo, to_image
from napari_bioseg.io.writing import ZARR_MARKS

T = TypeVar("T")

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
TIFF_NAMES = (".tif", ".tiff", ".btf", ".tf8", ".tf2", ".lsm", ".svs", ".ndpi", ".stk", ".scn", ".qptiff")
RASTER_NAMES = (".png", ".jpg", ".jpeg")
NIFTI_NAMES = (".nii", ".nii.gz", ".mgz", ".mgh", ".hdr", ".img")
FORMATS = "TIFF, OME-TIFF, OME-Zarr, NIfTI, MGH, PNG, JPEG, or a folder of numbered planes"


@dataclass(frozen=True)
class Reader:
    """A format: its name, its module (with `read` and `list_series`), and what it takes.

    Attributes
    ----------
    name : str
        For messages.
    module : str
        Name of the module in this room.
    takes : callable
        Told the path and the first bytes (none for a folder).
    """

    name: str
    module: str
    takes: Callable[[Path, bytes], bool]


# The first that takes a file reads it: content speaks before the name.
READERS = (
    Reader("Zarr", "omezarr", lambda path, _: path.is_dir() and any((path / m).exists() for m in ZARR_MARKS)),
    Reader("a folder of planes", "planes", lambda path, _: path.is_dir()),
    Reader("TIFF", "tiff", lambda _, head: head.startswith(TIFF_MAGIC)),
    Reader("PNG", "raster", lambda _, head: head.startswith(b"\x89PNG")),
    Reader("JPEG", "raster", lambda _, head: head.startswith(b"\xff\xd8\xff")),
    Reader("NIfTI", "nifti", lambda path, _: path.name.lower().endswith(NIFTI_NAMES)),
)


def open_image(source: str | Path, *, axes: str | None = None, series: int = 0) -> Image:
    """Open an image lazily; pixels are read when they are used.

    Axes come out in one order: what is not space (``R``, ``T``, ``C``, in the file's order), then ``Z``, ``Y``,
    ``X``, then ``S`` for RGB(A). Samples that are not 3 or 4 become channels. NIfTI's x, y, z, t come out as
    t, z, y, x. Sizes come out in µm and seconds; where a file gives none the scale is 1 and the unit None.

    Parameters
    ----------
    source : str or Path
        A file, an OME-Zarr or Zarr folder, or a folder of numbered planes.
    axes : str, optional
        One letter a dimension in the file's order, e.g. ``"ZYX"``. Wins over what the file says.
    series : int
        Which image of a file that holds several; see `list_series`.

    Returns
    -------
    Image
        With ``metadata["provenance"]`` when napari-bioseg wrote it.

    Raises
    ------
    UnreadableFileError
        The file is missing, empty, truncated, corrupt or of a foreign kind, or has no such series.
    UnknownAxesError
        The file does not say what its dimensions are and `axes` is not given, or does not fit.
    """
    path = _path(source)
    raw = _with(path, lambda module: module.read(path, series))
    return to_image(raw, path, axes)


def list_series(source: str | Path) -> tuple[SeriesInfo, ...]:
    """List the images in a file.

    Parameters
    ----------
    source : str or Path
        As for `open_image`.

    Raises
    ------
    UnreadableFileError
        As for `open_image`.
    """
    path = _path(source)
    return _with(path, lambda module: module.list_series(path))


def can_open(source: str | Path) -> bool:
    """Whether a path is of a kind that `open_image` reads, or says by its name that it is; no pixel is read.

    Parameters
    ----------
    source : str or Path
        A file or a folder.
    """
    try:
        path = _path(source)
    except UnreadableFileError:
        return False
    try:
        reader = _reader_of(path)
        if reader.module == "planes":
            import_module("napari_bioseg.io.planes").plane_files(path)
    except OSError:
        # A damaged image is ours all the same: nobody else says what is wrong with it.
        return os.path.isfile(path) and path.name.lower().endswith((*TIFF_NAMES, *RASTER_NAMES, *NIFTI_NAMES))
    return True


def _path(source: str | Path) -> Path:
    try:
        return Path(source).expanduser()
    except RuntimeError as error:
        raise UnreadableFileError(str(source), "names a home folder that is not there", "Check the path") from error


def _with(path: Path, use: Callable[[ModuleType], T]) -> T:
    reader = _reader_of(path)
    try:
        return use(import_module(f"napari_bioseg.io.{reader.module}"))
    except (BiosegError, MemoryError):
        raise
    except Exception as error:
        problem = f"cannot be read as {reader.name} ({type(error).__name__}: {error})"
        raise UnreadableFileError(str(path), problem, "The file is damaged or of another kind") from error


def _reader_of(path: Path) -> Reader:
    try:
        head = _head(path)
        for reader in READERS:
            if reader.takes(path, head):
                return reader
    except BiosegError:
        raise
    except FileNotFoundError as error:
        raise UnreadableFileError(str(path), "there is no such file", "Check the path") from error
    except OSError as error:
        problem = f"cannot be opened ({error.strerror or error})"
        raise UnreadableFileError(str(path), problem, "Check the path and its permissions") from error
    if path.name.lower().endswith((*TIFF_NAMES, *RASTER_NAMES)):
        problem = f"is no {path.suffix[1:].upper()} file although its name says so"
        raise UnreadableFileError(str(path), problem, f"Give a file of a kind we read: {FORMATS}")
    raise UnreadableFileError(str(path), "is of a kind we cannot read", f"Save it as one of {FORMATS}")


def _head(path: Path) -> bytes:
    if path.is_dir():
        return b""
    with path.open("rb") as handle:
        head = handle.read(16)
    if not head:
        raise UnreadableFileError(str(path), "is empty", "Copy or save the file again")
    return head
