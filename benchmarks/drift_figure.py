"""The picture of `benchmarks.drift`: what each change costs, and how loudly it is warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_KINDS = ("none", "blur", "noise", "gamma", "gain", "bit depth", "scale", "inverted")


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw one panel a model: loss of the score against the largest distance in units of its threshold."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row["model"] for row in rows))
    figure = Figure(figsize=(3.2 * len(names) + 1, 3.4), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axis, name in zip(panels, names, strict=True):
        mine = [row for row in rows if row["model"] == name and row["loss"] is not None]
        for number, kind in enumerate(_KINDS):
            points = [(max(row["ratio"], 0.05), row["loss"]) for row in mine if row["kind"] == kind]
            marker = "o" if kind == "none" else "s^vDP*X"[number - 1]
            x, y = zip(*points, strict=True) if points else ((), ())
            axis.scatter(x, y, s=18, marker=marker, label=kind, alpha=0.8, linewidths=0)
        axis.axvline(1, color="black", linewidth=1)
        axis.axhline(0.1, color="grey", linewidth=1, linestyle=":")
        axis.set_xscale("log")
        axis.set_title(f"{name}\n{mine[0]['metric']}", fontsize=9)
        axis.set_xlabel("largest distance / threshold", fontsize=8)
        axis.tick_params(labelsize=8)
    panels[0].set_ylabel("loss of the score", fontsize=8)
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize=8, loc="outside right center")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
