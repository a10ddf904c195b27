"""The tables of `benchmarks.drift`, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

COST = 0.1
"""Of the score, from which a warning is asked for."""

CAUSE = {
    "blur": "blur", "noise": "noise", "gamma": "grey values", "gain": "saturation", "bit depth": "levels",
    "scale": "pixel size", "inverted": "inverted",
}  # fmt: skip
"""What is to be told of each change."""

_NEAR = 0.5  # octaves by which the factor of a pixel size may be off
_HEADER = (
    "model (score)",
    "parts of unseen groups",
    "false alarms",
    *("changes that cost >= 0.1", "warned", "0.03 to 0.1", "warned", "below 0.03", "warned"),
    *("other modality", "warned"),
)
_WORSE_HEADER = ("model", "costs >= 0.1", "likely worse", "0.03 to 0.1", "likely worse", "below 0.03", "likely worse")
_LOSSES = (COST, 9.0), (0.03, COST), (-9.0, 0.03)

Row = dict[str, Any]


def table(rows: Iterable[Row]) -> str:
    """Return the detection rate by loss for each model, and false alarms on what was not changed, as Markdown."""
    rows = list(rows)
    lines = [
        "| " + " | ".join(_HEADER) + " |",
        "|---" * len(_HEADER) + "|",
    ]
    names = [*dict.fromkeys(row["model"] for row in rows), "all"]
    for name in names:
        mine = [row for row in rows if name in (row["model"], "all")]
        changes = [row for row in mine if row["kind"] not in ("none", "other modality")]
        parts = [row for row in mine if row["kind"] == "none"]
        groups = len({(row["model"], row["group"]) for row in parts})
        metric = "" if name == "all" else f" ({mine[0]['metric']})"
        cells = [f"{name}{metric}", f"{len(parts)} of {groups}", _share(parts)]
        for low, high in _LOSSES:
            some = [row for row in changes if low <= row["loss"] < high]
            cells += [str(len(some)), _share(some)]
        foreign = [row for row in mine if row["kind"] == "other modality"]
        lines.append("| " + " | ".join([*cells, str(len(foreign)), _share(foreign)]) + " |")
    missed = [row for row in rows if (row["loss"] or 0) >= COST and row["ratio"] <= 1]
    told = [
        f"- {r['model']} {r['group']}, {r['kind']} {r['amount']}: cost {r['loss']:.2f}, at {r['ratio']:.2f}"
        for r in missed
    ]
    return "\n".join([*lines, "", "Missed:", *(told or ["- none"])]) + "\n"


def worse_table(rows: Iterable[Row]) -> str:
    """Return of how many changes it was told that the result is likely worse, by their loss, as Markdown."""
    rows = [row for row in rows if row["kind"] not in ("none", "other modality")]
    lines = ["| " + " | ".join(_WORSE_HEADER) + " |", "|---" * len(_WORSE_HEADER) + "|"]
    for name in [*dict.fromkeys(row["model"] for row in rows), "all"]:
        cells = [name]
        for low, high in _LOSSES:
            some = [row for row in rows if name in (row["model"], "all") and low <= row["loss"] < high]
            worse = sum(bool(row["worse"]) for row in some)
            cells += [str(len(some)), f"{100 * worse / len(some):.0f} % ({worse})" if some else "-"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cause_table(rows: Iterable[Row]) -> str:
    """Return how often the right cause is named of changes that are warned of, as Markdown."""
    warned = [row for row in rows if row["ratio"] > 1 and row["kind"] in CAUSE]
    lines = ["| change | warned of | right cause first | right cause named |", "|---|---|---|---|"]
    for kind, cause in CAUSE.items():
        mine = [row for row in warned if row["kind"] == kind]
        names = [[name for name, _ in row["causes"]] for row in mine]
        first, named = sum(n[0] == cause for n in names), sum(cause in n for n in names)
        lines.append(f"| {kind} | {len(mine)} | {first} | {named} |")
    told = [
        amount * float(row["amount"])
        for row in warned
        for name, amount in row["causes"]
        if (row["kind"], name) == ("scale", "pixel size")
    ]
    right = sum(abs(np.log2(factor)) <= _NEAR for factor in told)
    return "\n".join([*lines, "", f"Factor of the pixel size told to 1.4 times: {right} of {len(told)}"]) + "\n"


def _share(rows: list[Row]) -> str:
    warned = sum(row["ratio"] > 1 for row in rows)
    return f"{100 * warned / len(rows):.0f} % ({warned})" if rows else "-"
