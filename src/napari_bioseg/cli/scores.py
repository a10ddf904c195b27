"""How `evaluate` is shown: as a table, and as one object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_bioseg.cli.console import table
from napari_bioseg.tasks.detection import RADIUS
from napari_bioseg.workflows.scores import Row

_TITLES = {"f1": f"f1 ({RADIUS:g} px)", "f1_integral": "f1_integral (0-3 px)"}


def scores_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what ``--json`` prints; F1 carries its radius in pixels."""
    images = [
        {"image": r.image, **r.scores, "oracle": r.oracle, "intervals": r.intervals, "confusion": r.confusion}
        for r in rows
    ]
    return {"images": images, **({"f1_radius": RADIUS} if "f1" in rows[0].scores else {})}


def score_table(rows: Sequence[Row]) -> str:
    """Return the scores, below them those of the best grey-value threshold, and intervals where there are any."""
    # A class that an image lacks has no score there.
    names = tuple(dict.fromkeys(name for row in rows for name in row.scores))
    lines: list[tuple[str, ...]] = []
    for row in rows:
        lines.append((row.image, "model", *(f"{row.scores[m]:.4f}" if m in row.scores else "" for m in names)))
        if row.oracle:
            oracle = (f"{row.oracle[m]:.4f}" if m in row.oracle else "" for m in names)
            lines.append((row.image, "oracle threshold", *oracle))
        if row.intervals:
            spans = (" to ".join(f"{v:.4f}" for v in row.intervals.get(m, ())) for m in names)
            lines.append((row.image, "95 %", *spans))
    return table(("image", "by", *(_TITLES.get(m, m) for m in names)), lines)
