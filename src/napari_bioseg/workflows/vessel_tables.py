"""The graph of vessels and its findings as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import Cancelled, UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.workflows.vessel_check import VesselReport

_BRANCH = ("frame", "branch", "kind", "tortuosity")
_MEASURES = ("length", "radius_mean", "radius_min", "radius_max")
_FINDING = ("frame", "kind", "score", "reason", "branches")


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
        _write(
            branches, [*_BRANCH, *_units(_MEASURES, report), *_places(report, "start_", "end_")], _branch_rows(report)
        )
        _write(found, [*_FINDING, *_places(report, "")], _finding_rows(report))
    return out, beside


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
