"""Arrays of a pyramid, written shard by shard; chunk by chunk in zarr format 2, which has no shards.

One writer owns one whole shard: two that write into the same shard at once lose data silently (zarr-python #3514,
#3682). Memory is bounded by one region of whole shards, whatever the size of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import ZstdCodec

from napari_bioseg.core.job import Job
from napari_bioseg.io.pyramid import Level
from napari_bioseg.io.writing import BUDGET, region_of, source_chunks

Region = tuple[slice, ...]
Convert = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
Reduce = Callable[[npt.NDArray[Any], tuple[int, ...]], npt.NDArray[Any]]
Seen = Callable[[Region, npt.NDArray[Any]], None]

# Chunk and shard along Z, Y, X: a shard of labels is 64 MB in 3-D, 16 MB in 2-D.
VOLUME = {"Z": (32, 64), "Y": (128, 512), "X": (128, 512)}
PLANE = {"Y": (512, 2048), "X": (512, 2048)}


def make_array(group: zarr.Group, name: str, level: Level, axes: str, dtype: np.dtype[Any]) -> zarr.Array[Any]:
    """Make an empty array in the format of the group, zstd compressed; sharded in format 3."""
    chunks, shards = layout(level.shape, axes)
    options: dict[str, Any] = {
        "shards": shards,
        "compressors": ZstdCodec(level=3),
        "dimension_names": [a.lower() for a in axes],
    }
    if group.metadata.zarr_format == 2:
        # Readers of that time know blosc at least, and OME-Zarr wants a folder an axis.
        options = {
            "compressors": {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 1},
            "chunk_key_encoding": {"name": "v2", "separator": "/"},
        }
    return group.create_array(name, shape=level.shape, chunks=chunks, dtype=dtype, fill_value=0, **options)


def layout(shape: tuple[int, ...], axes: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return chunk and shard shapes; a shard is whole chunks and no larger than the array needs."""
    table = VOLUME if "Z" in axes and shape[axes.index("Z")] > 1 else PLANE
    chunks, shards = [], []
    for letter, n in zip(axes, shape, strict=True):
        chunk, shard = table.get(letter, (1, 1))
        chunk = min(chunk, n)
        chunks.append(chunk)
        shards.append(min(shard // chunk, -(-n // chunk)) * chunk)
    return tuple(chunks), tuple(shards)


def count_regions(arrays: Sequence[zarr.Array[Any]], source: Any) -> int:
    """Return how many steps `fill` and `fill_next` will take for a pyramid."""
    first = sum(1 for _ in regions(arrays[0].shape, _cover(arrays[0], source)))
    return first + sum(1 for a in arrays[1:] for _ in regions(a.shape, _shard(a)))


def fill(array: zarr.Array[Any], source: Any, convert: Convert, job: Job, seen: Seen | None = None) -> None:
    """Copy `source` (numpy, zarr or dask, of the same shape) into the full level.

    Parameters
    ----------
    array : zarr.Array
    source : array
        Where the pixels come from.
    convert : callable
        Turns each block into the array's type.
    job : Job
        One step a region.
    seen : callable, optional
        Told each region and its pixels.
    """
    for region in regions(array.shape, _cover(array, source)):
        block = convert(region_of(source, region))
        array[region] = block
        if seen is not None:
            seen(region, block)
        job.step()


def fill_next(
    array: zarr.Array[Any], finer: zarr.Array[Any], factors: tuple[int, ...], reduce: Reduce, job: Job
) -> None:
    """Fill a level from the one before: what is written at once is put together chunk by chunk."""
    for region in regions(array.shape, _shard(array)):
        block = np.zeros(tuple(s.stop - s.start for s in region), array.dtype)
        for part in regions(block.shape, array.chunks):
            job.check()
            at = tuple(slice(s.start + p.start, s.start + p.stop) for s, p in zip(region, part, strict=True))
            wide = tuple(
                slice(s.start * f, min(s.stop * f, n)) for s, f, n in zip(at, factors, finer.shape, strict=True)
            )
            block[part] = reduce(region_of(finer, wide), factors)
        array[region] = block
        job.step()


def regions(shape: Sequence[int], steps: Sequence[int]) -> Iterator[Region]:
    """Yield a grid of regions that covers an array."""
    starts = [range(0, n, step) for n, step in zip(shape, steps, strict=True)]
    for corner in product(*starts):
        yield tuple(slice(c, min(c + s, n)) for c, s, n in zip(corner, steps, shape, strict=True))


def _shard(array: zarr.Array[Any]) -> tuple[int, ...]:
    return tuple(array.shards or array.chunks)


def _cover(array: zarr.Array[Any], source: Any) -> tuple[int, ...]:
    """Return a multiple of the shard that takes in the source's chunks, as far as memory allows.

    A page of a TIFF is decoded whole: reading it once for each shard it crosses would decode it many times.
    """
    cover = list(_shard(array))
    own = source_chunks(source) if hasattr(source, "chunks") else tuple(cover)
    for axis in reversed(range(len(cover))):
        shard = cover[axis]
        while cover[axis] < min(own[axis], array.shape[axis]):
            if prod(cover) // cover[axis] * (cover[axis] + shard) * array.dtype.itemsize > BUDGET:
                break
            cover[axis] += shard
    return tuple(cover)
