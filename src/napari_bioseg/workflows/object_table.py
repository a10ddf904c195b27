"""A table of the objects of a label image, and tables as CSV and Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.axes import SPATIAL, spatial
from napari_bioseg.core.errors import IncompatibleImageError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.grey import grey_values
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.io.writing import source_chunks
from napari_bioseg.postprocess.blocks import Grid, View
from napari_bioseg.postprocess.measure import Measures, Measuring
from napari_bioseg.workflows.object_columns import Columns, grey_columns, place_columns, size_columns

_BLOCK = 2**24  # pixels
_ROWS = 2**16  # of a table that are text at once


@dataclass(frozen=True)
class ObjectTable:
    """A table, one row an object.

    Attributes
    ----------
    columns : dict of str to ndarray
        Of one length, at least one column. A value that is not known is masked (`numpy.ma.MaskedArray`).
    """

    columns: Columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def object_table(
    labels: Any,
    axes: str,
    image: Image | None,
    *,
    names: Mapping[int, str] | None = None,
    channel: int = 0,
    planar: bool = False,
    job: Job | None = None,
) -> ObjectTable:
    """Measure each label value, in each position (R) and at each time (T) by itself.

    Columns: ``position`` and ``frame`` where the labels have R and T; ``label``; ``class`` with `names`; ``pixels``;
    ``area_um2`` or ``volume_um3``; the centroid, ``z_px`` and so on, and ``z_um``; the first and the last pixel along
    each axis, ``z_min`` and ``z_max``; and of the grey values ``intensity_mean``, ``_min``, ``_max`` and ``_sd``.
    Columns in µm are there for axes whose pixel size is known; places in µm are those of the world.

    Parameters
    ----------
    labels : ndarray or zarr.Array
        Unsigned integers, 0 is background. Read block by block.
    axes : str
        Its axes, Y and X among them.
    image : Image or None
        What the labels are of, on the same grid, with or without channels and colour; None: only pixels are counted.
    names : Mapping of int to str, optional
        Class of a label value, where these are classes; others have an empty name.
    channel : int
        Whose grey values are measured: the one that was segmented; of a colour image the luminance is.
    planar : bool
        Whether each object lies in one plane: then areas are measured in a stack too, no volumes.
    job : Job, optional
        For progress and for stopping.

    Returns
    -------
    ObjectTable
        In the order of positions, frames and labels.

    Raises
    ------
    IncompatibleImageError
        The image is not on the grid of the labels.
    RecipeError
        The image has no such channel.
    Cancelled
        The job was stopped.
    """
    job = job or Job()
    greys = None if image is None else _greys(image, axes, tuple(labels.shape), channel)
    found = [*_measured(labels, axes, greys, job)]
    space = spatial(axes)
    every = Measures.chained([Measures.none(len(space)), *(measures for _, measures in found)])
    columns: Columns = {}
    for axis, name in (("R", "position"), ("T", "frame")):
        if axis in axes:
            columns[name] = np.repeat([lead[axis] for lead, _ in found], [len(measures) for _, measures in found])
    columns["label"] = every.label
    if names is not None:
        columns["class"] = np.array([names.get(int(value), "") for value in every.label], np.str_)
    columns |= size_columns(every, space, image, planar=planar) | place_columns(every, space, image)
    return ObjectTable(columns if greys is None else columns | grey_columns(every))


def write_table(table: ObjectTable, stem: Path) -> tuple[Path, Path]:
    """Write a table as ``STEM.csv`` and ``STEM.parquet``: both complete, or none; the same table gives the same bytes.

    Parameters
    ----------
    table : ObjectTable
    stem : Path
        May have dots in its name.

    Raises
    ------
    UnwritableFileError
        The folder is missing, or the disk is full.
    """
    plain, packed = stem.with_name(f"{stem.name}.csv"), stem.with_name(f"{stem.name}.parquet")
    with writing(stem), whole_or_nothing(plain) as text, whole_or_nothing(packed) as binary:
        _write_csv(table, text)
        _write_parquet(table, binary)
    return plain, packed


def write_parquet(table: ObjectTable, path: Path) -> None:
    """Write a table as Parquet alone, as `write_table` does."""
    with writing(path), whole_or_nothing(path) as binary:
        _write_parquet(table, binary)


def _greys(image: Image, axes: str, shape: tuple[int, ...], channel: int) -> Any:
    greys, own, _ = grey_values(image, channel)
    if (own, greys.shape) != (axes, shape):
        problem = f"has shape {greys.shape} along {own}, its labels {shape} along {axes}"
        raise IncompatibleImageError(image.name, problem, "Measure the image that was segmented, cut as it was then")
    return greys


def _measured(labels: Any, axes: str, greys: Any, job: Job) -> Iterator[tuple[dict[str, int], Measures]]:
    """Yield index along each axis that is not of space, and the figures of all objects there."""
    space, rest = ([i for i, a in enumerate(axes) if (a in SPATIAL) == inside] for inside in (True, False))
    shape, chunks = labels.shape, source_chunks(labels)
    grid = Grid.of([shape[i] for i in space], [chunks[i] for i in space], _BLOCK)
    job.stage("Measuring objects", len(grid) * prod(shape[i] for i in rest))
    for index in product(*(range(shape[i]) for i in rest)):
        lead, measuring = dict(zip(rest, index, strict=True)), Measuring(len(space))
        for box in map(grid.box, grid):
            block = View(labels, lead)[box]
            if block.any():
                values = None if greys is None else View(greys, lead)[box]
                measuring.add(block, [s.start for s in box], values)
            job.step()
        yield {axes[i]: n for i, n in lead.items()}, measuring.result()


def _write_csv(table: ObjectTable, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        for first in range(0, len(table), _ROWS):
            some = [_texts(column[first : first + _ROWS]) for column in table.columns.values()]
            writer.writerows(zip(*some, strict=True))


def _texts(column: npt.NDArray[Any]) -> list[Any]:
    values = column.tolist()  # None where masked, an empty field then
    return [v if v is None else f"{v:.10g}" for v in values] if column.dtype.kind == "f" else values


def _write_parquet(table: ObjectTable, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {name: pa.array(column) for name, column in table.columns.items()}
    parquet.write_table(pa.table(columns), path, compression="zstd")
