"""What both writers share: errors, labels as uint32, reading a region of any array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import UnwritableFileError

ZARR_MARKS = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
BUDGET = 256 * 2**20  # bytes of pixels in memory at once
LARGEST = np.iinfo(np.uint32).max


def check_target(path: Path) -> None:
    """Refuse to replace a folder that is no Zarr store: it would take the user's files with it.

    Raises
    ------
    UnwritableFileError
        `path` is such a folder.
    """
    if path.is_dir() and any(path.iterdir()) and not any((path / mark).exists() for mark in ZARR_MARKS):
        raise UnwritableFileError(str(path), "is a folder that holds other files", "Choose another name")


def check_not_source(target: Path, source: Path | None) -> None:
    """Refuse to write over the very image that is being read, or over what it lies in.

    Parameters
    ----------
    target : Path
        What would be written.
    source : Path or None
        What the image was read from.

    Raises
    ------
    UnwritableFileError
        They are the same, or one holds the other and would be replaced or changed.
    """
    if source is None or not target.exists():
        return
    whole, part = target.resolve(), source.resolve()
    if whole == part or whole in part.parents or part in whole.parents:
        problem = "is the image itself" if whole == part else "holds the image, or is a part of it"
        raise UnwritableFileError(str(target), problem, "Choose another name")


def region_of(array: Any, key: tuple[slice, ...]) -> npt.NDArray[Any]:
    """Read a region of a numpy, zarr or dask array into memory."""
    return np.asarray(array[key])


def as_labels(block: npt.NDArray[Any], path: Path) -> npt.NDArray[np.uint32]:
    """Return labels as uint32, losing nothing.

    Raises
    ------
    UnwritableFileError
        They are not integers, or one does not fit.
    """
    if block.dtype.kind not in "bui":
        raise UnwritableFileError(str(path), f"labels of type {block.dtype} are not integers", "Round them first")
    risky = block.dtype.kind == "i" or block.dtype.itemsize > 4
    if risky and block.size and (int(block.min()) < 0 or int(block.max()) > LARGEST):
        raise UnwritableFileError(str(path), "a label is negative or above 4294967295", "Relabel them first")
    return block.astype(np.uint32, copy=False)


def source_chunks(array: Any) -> tuple[int, ...]:
    """Return the largest chunk an array is read by; the whole of it for numpy."""
    chunks = getattr(array, "chunks", None)
    if chunks is None:
        return tuple(int(n) for n in array.shape)
    return tuple(int(max(c)) if isinstance(c, tuple) else int(c) for c in chunks)
