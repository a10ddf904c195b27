"""The picture of `benchmarks.drift`: what each change costs, and how loudly it is warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_KINDS = ("none", "blur", "noise", "gamma", "gain", "bit depth", "scale", "inverted")
_MARKERS = "os^vDP*X"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw one panel a model: loss of the score against the largest distance in units of its threshold."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import NullFormatter

    names = list(dict.fromkeys(row["model"] for row in rows))
    figure = Figure(figsize=(3.2 * len(names) + 1, 3.4), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axis, name in zip(panels, names, strict=True):
        mine = [row for row in rows if row["model"] == name and row["loss"] is not None]
        for number, kind in enumerate(_KINDS):
            some = [row for row in mine if row["kind"] == kind]
            x, y = [max(row["ratio"], 0.05) for row in some], [row["loss"] for row in some]
            color = f"C{number}"
            filled = [color if row["worse"] or kind == "none" else "none" for row in some]
            axis.scatter(x, y, s=16, marker=_MARKERS[number], c=filled, edgecolors=color, linewidths=0.7)
        axis.axvline(1, color="black", linewidth=1)
        axis.axhline(0.1, color="grey", linewidth=1, linestyle=":")
        axis.set_xscale("log")
        # One decade at least has a tick at both ends; labels between them would run into each other.
        axis.set_xlim(right=max(12, axis.get_xlim()[1]))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_title(f"{name}\n{mine[0]['metric']}", fontsize=9)
        axis.set_xlabel("largest distance / threshold", fontsize=8)
        axis.tick_params(labelsize=8)
    panels[0].set_ylabel("loss of the score", fontsize=8)
    handles = [
        Line2D([], [], color=f"C{i}", marker=marker, linestyle="none", markersize=4, label=kind)
        for i, (kind, marker) in enumerate(zip(_KINDS, _MARKERS, strict=True))
    ]
    title = "filled: the result\nis likely worse"
    figure.legend(handles=handles, title=title, title_fontsize=8, fontsize=8, loc="outside right center")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
