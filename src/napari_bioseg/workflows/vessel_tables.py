"""The graph of vessels and its findings as tables."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_bioseg.core.axes import SPATIAL
from napari_bioseg.core.errors import Cancelled, UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.workflows.object_table import ObjectTable
from napari_bioseg.workflows.vessel_check import AXES, VesselOptions, VesselReport, check_vessels

_BRANCH = ("frame", "branch", "kind", "tortuosity")
_MEASURES = ("length", "radius_mean", "radius_min", "radius_max")
_FINDING = ("frame", "kind", "score", "reason", "branches")
_TYPES = {"frame": np.int64, "branch": np.int64, "kind": np.str_}

LARGEST = 2**26
"""Pixels of a frame whose graph is made in a batch: the distances in it take some 50 bytes a pixel."""


def write_csv(report: VesselReport, out: Path) -> tuple[Path, Path]:
    """Write two tables: the branches to `out`, the findings beside it, as ``NAME.findings.csv``.

    Places are given in pixels and, where the pixel size is known, in µm as the image lies in the world.

    Returns
    -------
    tuple of Path
        Branches and findings.

    Raises
    ------
    UnwritableFileError
        The ending is not ``.csv``, the folder is missing, or the disk is full.
    Cancelled
        Nothing was written, since time points are missing.
    """
    if not report.done:
        raise Cancelled(str(out), "not written: the check was cancelled", "Run it again to the end")
    if out.suffix.lower() != ".csv":
        raise UnwritableFileError(str(out), "has an ending that tables are not written to", "Use .csv")
    beside = out.with_name(f"{out.stem}.findings.csv")
    with writing(out), whole_or_nothing(out) as branches, whole_or_nothing(beside) as found:
        _write(branches, _branch_columns(report), _branch_rows(report))
        _write(found, [*_FINDING, *_places(report, "")], _finding_rows(report))
    return out, beside


def measure_vessels(
    labels: Any,
    axes: str,
    image: Image | None,
    *,
    names: Mapping[int, str],
    instances: bool = False,
    job: Job | None = None,
) -> tuple[ObjectTable, ObjectTable] | None:
    """Measure the vessels among labels: all together, and branch by branch.

    Parameters
    ----------
    labels : ndarray, zarr.Array or dask.array.Array
        On the grid of the image.
    axes : str
        Its axes.
    image : Image or None
        Says where the labels lie; None: lengths are in pixels.
    names : Mapping of int to str
        Label value and name of each class of the model; of vessels are those with "vessel" in their name.
    instances : bool
        Whether labels are numbers of objects.
    job : Job, optional
        For progress, for stopping, and for a note where vessels are not measured.

    Returns
    -------
    tuple of ObjectTable or None
        First one row a frame: number of branches, branch points and end points, total length, mean radius over the
        points of all centre lines; then the branches, as `write_csv` writes them. None where no class is of vessels,
        or the labels do not tell them from others, have axes other than YX, ZYX, TYX and TZYX, or are too large.

    Raises
    ------
    MissingDependencyError
        skan is not installed.
    Cancelled
        The job was stopped.
    """
    job = job or Job()
    values = tuple(value for value, name in names.items() if "vessel" in name.lower())
    if not values:
        return None
    shape = tuple(int(n) for n in labels.shape)
    reason = _why_not(shape, axes, mixed=instances and len(values) < len(names))
    if reason:
        job.note(f"Vessels are not measured: {reason}")
        return None
    sizes = {} if image is None else {a: s for a, s in zip(axes, image.pixel_size(axes), strict=True) if s is not None}
    placed = image_from_array(labels, axes, pixel_size=sizes, name="labels")
    if image is not None:
        placed = replace(placed, translate=tuple(image.translate[image.axis(a)] for a in axes))
    options = VesselOptions(values=None if instances else values, reach=0, loop=0)
    report = check_vessels(placed, options, job=job)
    job.check()
    return _total_table(report), _branch_table(report)


def _why_not(shape: tuple[int, ...], axes: str, *, mixed: bool) -> str:
    if mixed:
        return "objects are numbered, and not all are of vessels"
    if axes not in AXES:
        return f"the axes are {axes}, not one of {', '.join(AXES)}"
    pixels = prod(n for a, n in zip(axes, shape, strict=True) if a in SPATIAL)
    return f"{pixels / 1e6:.0f} million pixels are too many for one graph" if pixels > LARGEST else ""


def _total_table(report: VesselReport) -> ObjectTable:
    graphs = [frame.graph for frame in report.frames]
    none = [not graph.branches for graph in graphs]
    length, radius = _units(("length", "radius_mean"), report)
    return ObjectTable(
        {
            "frame": np.array([frame.frame for frame in report.frames], np.int64),
            "branches": np.array([len(graph.branches) for graph in graphs], np.int64),
            "branch_points": np.array([len(graph.branch_points) for graph in graphs], np.int64),
            "end_points": np.array([len(graph.end_points) for graph in graphs], np.int64),
            length: np.array([graph.length for graph in graphs]),
            radius: np.ma.MaskedArray([graph.mean_radius for graph in graphs], none),
        }
    )


def _branch_table(report: VesselReport) -> ObjectTable:
    rows = [*_branch_rows(report)]
    names = enumerate(_branch_columns(report))
    return ObjectTable({n: np.array([row[i] for row in rows], _TYPES.get(n, np.float64)) for i, n in names})


def _branch_columns(report: VesselReport) -> list[str]:
    return [*_BRANCH, *_units(_MEASURES, report), *_places(report, "start_", "end_")]


def _write(path: Path, columns: Sequence[str], rows: Iterator[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([f"{v:.4f}" if isinstance(v, float) else v for v in row] for row in rows)


def _units(names: Sequence[str], report: VesselReport) -> list[str]:
    return [f"{name}_{report.unit}" for name in names]


def _places(report: VesselReport, *points: str) -> list[str]:
    units = ("px", "um") if report.unit == "um" else ("px",)
    return [f"{point}{axis.lower()}_{unit}" for point in points for unit in units for axis in report.image.spatial_axes]


def _place(report: VesselReport, position: Any) -> list[float]:
    """Return a place in pixels, and in µm where these are known."""
    image, pixels = report.image, [float(v) for v in position]
    if report.unit == "px":
        return pixels
    at = [image.axis(axis) for axis in image.spatial_axes]
    return pixels + [v * image.scale[i] + image.translate[i] for v, i in zip(pixels, at, strict=True)]


def _branch_rows(report: VesselReport) -> Iterator[list[Any]]:
    for frame in report.frames:
        for b in frame.graph.branches:
            radii = [float(b.radii.mean()), float(b.radii.min()), float(b.radii.max())]
            ends = _place(report, b.points[0]) + _place(report, b.points[-1])
            yield [frame.frame, b.id, b.kind, float(b.tortuosity), float(b.length), *radii, *ends]


def _finding_rows(report: VesselReport) -> Iterator[list[Any]]:
    for frame in report.frames:
        for f in frame.findings:
            branches = " ".join(str(b) for b in f.branches)
            yield [frame.frame, f.kind, f.score, f.reason, branches, *_place(report, f.position)]
