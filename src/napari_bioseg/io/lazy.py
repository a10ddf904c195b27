"""Array-likes that read a region of a file when asked, and the dask arrays made of them."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any, Protocol

import dask.array as da
import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import BiosegError, UnreadableFileError

PIECE_BYTES = 16 * 2**20  # a piece of a contiguous file
GROWN_BYTES = 2**20  # tiles smaller than this are joined, so that dask's graph stays small


class Readable(Protocol):
    """What numpy, zarr, nibabel's proxies and our own readers share."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the file."""

    @property
    def dtype(self) -> Any:
        """Data type in the file."""

    def __getitem__(self, key: Any) -> Any:
        """Read the region that integers and slices name."""


class Guarded:
    """Reads in native byte order, and turns whatever a codec raises into one of our errors.

    Parameters
    ----------
    array : Readable
        Where to read.
    source : Path
        The file, for the error.
    """

    def __init__(self, array: Readable, source: Path) -> None:
        self._array, self._source = array, source
        self.shape = tuple(int(n) for n in array.shape)
        self.ndim = len(self.shape)
        self.dtype: np.dtype[Any] = np.dtype(array.dtype).newbyteorder("=")

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read a region.

        Raises
        ------
        UnreadableFileError
            The file has changed, has gone, or holds data that cannot be decoded.
        """
        try:
            return np.asarray(self._array[key]).astype(self.dtype, copy=False)
        except (BiosegError, MemoryError):
            raise
        except Exception as error:
            problem = f"a part of it cannot be decoded ({type(error).__name__}: {error})"
            raise UnreadableFileError(str(self._source), problem, "The file is damaged or has gone") from error


class MappedFile:
    """A contiguous array in a file, mapped anew for each read: no open handle, safe in threads and processes.

    Parameters
    ----------
    path : Path
        The file.
    offset : int
        Where the array begins, in bytes.
    shape : tuple of int
        Its shape, C order.
    dtype : numpy.dtype
        Its type, with the file's byte order.
    """

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path, self.offset, self.shape, self.dtype = path, offset, shape, dtype

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Copy a region out of the file."""
        mapped = np.memmap(self.path, dtype=self.dtype, mode="r", offset=self.offset, shape=self.shape)
        return np.array(mapped[key])


def lazy(array: Readable, source: Path, chunks: tuple[int, ...]) -> da.Array:
    """Return a dask array that reads `array` chunk by chunk; nothing is read now."""
    guarded = Guarded(array, source)
    meta = np.empty((0,) * guarded.ndim, guarded.dtype)
    array_: da.Array = da.from_array(guarded, chunks=chunks, name=False, fancy=False, meta=meta)  # type: ignore[no-untyped-call]
    return array_


def piece_chunks(shape: tuple[int, ...], itemsize: int, inner: int = 2) -> tuple[int, ...]:
    """Return chunks of a contiguous file: one plane, or some rows of it when it is large.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    itemsize : int
        Bytes a pixel.
    inner : int
        How many trailing dimensions make a plane (3 with interleaved colour samples).
    """
    inner = min(inner, len(shape))
    row = max(1, prod(shape[len(shape) - inner + 1 :]) * itemsize)
    rows = max(1, min(shape[-inner], PIECE_BYTES // row))
    return (1,) * (len(shape) - inner) + (rows, *shape[len(shape) - inner + 1 :])


def grown_chunks(
    chunks: tuple[int, ...], shape: tuple[int, ...], itemsize: int, plane: tuple[int, int]
) -> tuple[int, ...]:
    """Join tiles along the two axes of a plane until a chunk has about `GROWN_BYTES`; the tile grid is kept.

    Parameters
    ----------
    chunks, shape : tuple of int
        Of the file.
    itemsize : int
        Bytes a pixel.
    plane : tuple of int
        Positions of Y and X.
    """
    grown = [max(1, min(c, n)) for c, n in zip(chunks, shape, strict=True)]
    while prod(grown) * itemsize < GROWN_BYTES and any(grown[a] < shape[a] for a in plane):
        short = min((a for a in plane if grown[a] < shape[a]), key=lambda a: grown[a])
        grown[short] = min(2 * grown[short], shape[short])
    return tuple(grown)
