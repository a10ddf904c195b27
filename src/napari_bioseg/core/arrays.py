"""Arrays larger than memory: in memory while small, else in a folder."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import zarr
    from zarr.abc.store import Store

_IN_MEMORY = 2**30  # bytes


def create_array(
    store: str | Path | Store | None, shape: Sequence[int], chunks: Sequence[int], dtype: str
) -> zarr.Array[Any]:
    """Create a zarr array of zeros.

    Parameters
    ----------
    store : path, zarr Store or None
        An array that is there is replaced. None: in memory, or where that would take more than 1 GB, in a
        temporary folder that goes when the array does.
    shape, chunks : sequence of int
    dtype : str
    """
    import zarr
    from zarr.storage import MemoryStore

    where: str | Path | Store | None = store
    temporary: Path | None = None
    if store is None and np.dtype(dtype).itemsize * prod(shape) > _IN_MEMORY:
        temporary = Path(tempfile.mkdtemp(prefix="bioseg-"))
        where = temporary / "array.zarr"
    array: zarr.Array[Any] = zarr.create_array(
        store=MemoryStore() if where is None else where,
        shape=tuple(shape),
        chunks=tuple(max(1, c) for c in chunks),
        dtype=dtype,
        fill_value=0,
        # In memory, time is dearer than space: planes are read again and again as a threshold moves.
        compressors=None if where is None else "auto",
        overwrite=True,
    )
    if temporary is not None:
        weakref.finalize(array.store, shutil.rmtree, temporary, ignore_errors=True)
    return array
