"""What the tables and the plot of the panel "Compare" show of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from napari_bioseg.metrics.paired import FALLING
from napari_bioseg.widgets.paired_plot import BETTER, WORSE
from napari_bioseg.workflows.comparison_result import Comparison, Plane, Unit

Rows = tuple[list[tuple[str | float, ...]], list[str | None]]
"""Cells, and the colour of the last one of each row."""


def scores_of(found: Comparison | None, metric: str | None) -> list[tuple[float, float]]:
    """Return the old and the new score of each unit that has this one."""
    return [(row.old[metric], row.new[metric]) for row in _scored(found, metric) if metric is not None]


def unit_rows(found: Comparison | None, metric: str | None) -> Rows:
    """Return where each unit lies, its scores, and the difference."""
    several = _several(found)
    cells: list[tuple[str | float, ...]] = []
    colors: list[str | None] = []
    for row, (old, new) in zip(_scored(found, metric), scores_of(found, metric), strict=True):
        cells.append((_where(row.image, row.plane, several), old, new, new - old))
        gain = old - new if metric in FALLING else new - old
        colors.append(_color(gain))
    return cells, colors


def region_rows(found: Comparison | None) -> Rows:
    """Return where each region lies and its change."""
    regions, several = found.regions if found else (), _several(found)
    cells = [(_where(r.image, r.plane, several), f"{r.box[0]}, {r.box[1]}", r.gain) for r in regions]
    return [*cells], [_color(r.gain) for r in regions]


def _scored(found: Comparison | None, metric: str | None) -> Sequence[Unit]:
    return [row for row in found.rows if metric in row.old and metric in row.new] if found else []


def _several(found: Comparison | None) -> bool:
    return found is not None and len({row.image for row in found.rows}) > 1


def _where(image: str, plane: Plane, several: bool) -> str | int:
    """Return a plane in words, or as a number that is sorted as one."""
    if len(plane) == 1 and not several:
        return plane[0]
    place = ", ".join(map(str, plane)) or "all"
    return f"{image}: {place}" if several else place


def _color(gain: float) -> str | None:
    return None if gain == 0 else BETTER if gain > 0 else WORSE
