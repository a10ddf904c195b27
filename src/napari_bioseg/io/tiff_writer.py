"""Labels and images as OME-TIFF, plane by plane.

``.tif`` is written as OME-TIFF too: ImageJ's own flavour can hold neither uint32 nor a scale per axis with units,
and every reader of plain TIFF opens OME-TIFF. Provenance and what OME-XML has no place for (the position of a crop, a
step without a unit) go into a MapAnnotation of the namespace ``napari-bioseg``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_bioseg.core.errors import UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.job import Job
from napari_bioseg.io.raw import image_name
from napari_bioseg.io.tiff_calibration import NAMESPACE
from napari_bioseg.io.writing import BUDGET, as_labels, region_of, source_chunks

TILE = 512
CLASSIC_LIMIT = 2**32 - 2**26  # bytes; beyond it offsets need 64 bits
OME_UNITS = {"micrometer": "µm", "second": "s"}
Convert = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


@dataclass(frozen=True)
class _Output:
    """One image to write: the array, how its blocks are turned, and its geometry."""

    path: Path
    array: Any
    axes: str
    dtype: np.dtype[Any]
    convert: Convert
    scale: tuple[float, ...]
    units: tuple[str | None, ...]
    translate: tuple[float, ...]
    channel_names: tuple[str, ...]
    metadata: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.array.shape)

    @property
    def leading(self) -> int:
        """How many dimensions come before a plane."""
        return self.axes.index("Y")


def write_labels_tiff(
    path: str | Path,
    labels: Any,
    axes: str,
    *,
    scale: Sequence[float],
    units: Sequence[str | None],
    metadata: Mapping[str, Any],
    translate: Sequence[float] | None = None,
    job: Job | None = None,
) -> None:
    """Write labels as OME-TIFF: uint32, zlib, BigTIFF where needed; one plane in memory at a time.

    Parameters
    ----------
    path : str or Path
        ``.tif``, ``.tiff``, ``.ome.tif`` or ``.ome.tiff``; replaced only once the new file is complete.
    labels : numpy.ndarray, zarr.Array or dask.array.Array
        Integers of any width.
    axes : str
        One letter a dimension, ending in ``YX``. Positions (``R``) become series.
    scale, units : sequence
        As in `Image`.
    metadata : Mapping
        Provenance; plain JSON values. `open_image` returns it as ``metadata["provenance"]``.
    translate : sequence of float, optional
        World position of the first pixel; 0 when not given.
    job : Job, optional
        Counts planes.

    Raises
    ------
    UnwritableFileError
        Not a TIFF name, labels that do not fit uint32, no such folder, a full disk.
    Cancelled
        The user stopped the job; nothing is left behind.
    """
    target = Path(path)
    out = _Output(
        target, labels, axes, np.dtype(np.uint32), lambda block: as_labels(block, target),
        tuple(scale), tuple(units), tuple(translate or (0.0,) * len(axes)), (), metadata,
    )  # fmt: skip
    _write(out, job or Job(), "Writing labels")


def write_image_tiff(
    path: str | Path,
    array: Any,
    axes: str,
    *,
    scale: Sequence[float],
    units: Sequence[str | None],
    metadata: Mapping[str, Any],
    translate: Sequence[float] | None = None,
    channel_names: Sequence[str] = (),
    job: Job | None = None,
) -> None:
    """Write an image or probabilities as OME-TIFF.

    OME-TIFF has neither half floats nor 64-bit integers: float16 is written as float32 (exact), 64-bit integers are
    refused.

    Parameters
    ----------
    path, axes, scale, units, metadata, translate, job
        As for `write_labels_tiff`; `axes` may end in ``YXS``.
    array : numpy.ndarray, zarr.Array or dask.array.Array
        The pixels.
    channel_names : sequence of str
        One a channel, or empty.

    Raises
    ------
    UnwritableFileError
        As for `write_labels_tiff`.
    Cancelled
        The user stopped the job; nothing is left behind.
    """
    target = Path(path)
    dtype = _storable(np.dtype(array.dtype), target)
    out = _Output(
        target, array, axes, dtype, lambda block: block.astype(dtype, copy=False),
        tuple(scale), tuple(units), tuple(translate or (0.0,) * len(axes)), tuple(channel_names), metadata,
    )  # fmt: skip
    _write(out, job or Job(), "Writing image")


def _storable(dtype: np.dtype[Any], path: Path) -> np.dtype[Any]:
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype == np.float16:
        return np.dtype(np.float32)
    if dtype.kind in "ui" and dtype.itemsize == 8:
        raise UnwritableFileError(str(path), f"OME-TIFF cannot hold {dtype}", "Save it as OME-Zarr")
    return dtype.newbyteorder("=")


def _write(out: _Output, job: Job, message: str) -> None:
    if out.path.suffix.lower() not in (".tif", ".tiff"):
        raise UnwritableFileError(str(out.path), "is no name of a TIFF file", "End it in .tif or .ome.tif")
    if out.path.is_dir():
        raise UnwritableFileError(str(out.path), "is a folder", "Choose another name")
    if not (out.axes.endswith(("YX", "YXS")) and len(out.axes) == len(out.shape)):
        raise UnwritableFileError(str(out.path), f"axes {out.axes!r} do not fit shape {out.shape}", "End them in YX")
    job.stage(message, prod(out.shape[: out.leading]))
    size = prod(out.shape) * out.dtype.itemsize
    with (
        writing(out.path),
        whole_or_nothing(out.path) as temporary,
        tifffile.TiffWriter(temporary, ome=True, bigtiff=size > CLASSIC_LIMIT) as tif,
    ):
        for series, position in enumerate(_positions(out)):
            _write_series(tif, out, position, series, job)


def _positions(out: _Output) -> list[dict[int, int]]:
    """Return the index of each position; OME-TIFF has no such axis, so each becomes a series."""
    if "R" not in out.axes:
        return [{}]
    at = out.axes.index("R")
    return [{at: i} for i in range(out.shape[at])]


def _write_series(tif: tifffile.TiffWriter, out: _Output, position: dict[int, int], series: int, job: Job) -> None:
    keep = [i for i in range(len(out.axes)) if i not in position]
    shape = tuple(out.shape[i] for i in keep)
    tiled = prod(out.shape[out.leading :]) * out.dtype.itemsize > BUDGET
    blocks = _tiles(out, position, job) if tiled else _planes(out, position, job)
    tif.write(
        blocks,
        shape=shape,
        dtype=out.dtype,
        tile=(TILE, TILE) if tiled else None,
        photometric="rgb" if out.axes.endswith("S") and shape[-1] in (3, 4) else "minisblack",
        planarconfig="contig" if out.axes.endswith("S") else None,
        compression="zlib",
        metadata=_ome(out, "".join(out.axes[i] for i in keep), series, len(_positions(out))),
        **_resolution(out),
    )


def _planes(out: _Output, position: dict[int, int], job: Job) -> Iterator[npt.NDArray[Any]]:
    """Yield planes in order, read by slabs as deep as the source's chunks so that each chunk is read once."""
    plane = prod(out.shape[out.leading :]) * out.dtype.itemsize
    steps = [1] * out.leading
    if out.leading and out.leading - 1 not in position:
        steps[-1] = max(1, min(source_chunks(out.array)[out.leading - 1], BUDGET // max(1, plane)))
    starts = [[position[i]] if i in position else list(range(0, out.shape[i], steps[i])) for i in range(out.leading)]
    for corner in product(*starts):
        key = tuple(slice(c, min(c + s, n)) for c, s, n in zip(corner, steps, out.shape, strict=False))
        slab = out.convert(region_of(out.array, key + (slice(None),) * (len(out.shape) - out.leading)))
        for page in slab.reshape(-1, *out.shape[out.leading :]):
            job.step()  # before the page is handed over: what follows the last one is never run
            yield np.ascontiguousarray(page)


def _tiles(out: _Output, position: dict[int, int], job: Job) -> Iterator[npt.NDArray[Any]]:
    """Yield the tiles of planes that are too large for memory, band by band."""
    height, width = out.shape[out.leading : out.leading + 2]
    starts = [[position[i]] if i in position else list(range(out.shape[i])) for i in range(out.leading)]
    for corner in product(*starts):
        for y in range(0, height, TILE):
            key = (*(slice(c, c + 1) for c in corner), slice(y, min(y + TILE, height)))
            band = out.convert(region_of(out.array, key + (slice(None),) * (len(out.shape) - len(key))))
            band = band.reshape(band.shape[out.leading :])
            job.step(int(y + TILE >= height))
            for x in range(0, width, TILE):
                yield np.ascontiguousarray(band[:, x : x + TILE])  # tifffile pads those at the edge


def _ome(out: _Output, axes: str, series: int, count: int) -> dict[str, Any]:
    name = image_name(out.path)
    geometry = {"axes": out.axes, "scale": out.scale, "units": out.units, "translate": out.translate}
    notes = {"provenance": json.dumps(dict(out.metadata)), "geometry": json.dumps(geometry)}
    found: dict[str, Any] = {"axes": axes, "Name": f"{name} {series}" if count > 1 else name}
    for letter, step, unit in zip(out.axes, out.scale, out.units, strict=True):
        key = "TimeIncrement" if letter == "T" else f"PhysicalSize{letter}"
        if unit in OME_UNITS and letter in "TZYX":
            found |= {key: step, f"{key}Unit": OME_UNITS[unit or ""]}
    if out.channel_names:
        found["Channel"] = {"Name": list(out.channel_names)}
    if series == 0:
        found["MapAnnotation"] = {"Namespace": NAMESPACE, "Value": notes}
    return found


def _resolution(out: _Output) -> dict[str, Any]:
    """Return the resolution tags, for readers that know nothing of OME-XML."""
    steps = {a: s for a, s, u in zip(out.axes, out.scale, out.units, strict=True) if u == "micrometer"}
    if not {"Y", "X"} <= set(steps):
        return {}
    return {"resolution": (1e4 / steps["X"], 1e4 / steps["Y"]), "resolutionunit": "CENTIMETER"}
