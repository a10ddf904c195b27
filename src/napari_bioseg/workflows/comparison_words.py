"""What a comparison says in words: which model is better, and whether the new one has forgotten anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_bioseg.metrics.paired import TITLES, Difference, counted, paired_difference, verdict
from napari_bioseg.workflows.comparison_result import Original, Unit

NOTHING = "Nothing is held out to compare on: verify more slices, three at least, and train again."

_SLIGHT = 0.01
"""A loss on original data below this is none: a thousandth may be sure, and still be of no matter."""


def differences_of(rows: Sequence[Unit], metrics: Sequence[str]) -> dict[str, Difference]:
    """Return the difference of each metric over the rows that have it, by their groups."""
    found = {}
    for metric in metrics:
        scored = [row for row in rows if metric in row.old and metric in row.new]
        old, new = [row.old[metric] for row in scored], [row.new[metric] for row in scored]
        found[metric] = paired_difference(metric, old, new, [row.group for row in scored])
    return found


def unit_of(rows: Sequence[Unit], task: str) -> str:
    """Return what the rows are: ``"frame"``, ``"slice"``, or ``"image"`` where none has a plane."""
    if not any(row.plane for row in rows):
        return "image"
    return "frame" if task == "detection" else "slice"


def main_verdict(
    rows: Sequence[Unit], differences: Mapping[str, Difference], task: str, original: Original | None
) -> str:
    """Return one to three sentences: the first metric, one that says the opposite, and what is forgotten."""
    first, *others = differences.values()
    told = [_sentence(rows, first, task) if first.n else NOTHING]
    against = [d for d in others if d.seen and not (first.seen and (d.gain > 0) == (first.gain > 0))]
    if against:
        told.append("But " + _phrase(rows, against[0], task) + ".")
    if original is not None:
        told.append(_upper(original.words) + ".")
    return " ".join(told)


def original_words(rows: Sequence[Unit], difference: Difference, task: str, on: str) -> str:
    """Return what became of what the old model could do, e.g. ``"worse on original data: forgetting (...)"``.

    Parameters
    ----------
    rows : sequence of Unit
    difference : Difference
        Of the first metric, over the rows.
    task : str
    on : str
        What the rows are of.
    """
    if not difference.n:
        return f"nothing could be scored on original data ({on})"
    figures = f"{_means(difference)} on {counted(difference.n, _unit(rows, difference, task))} of {on}"
    if difference.gain > -_SLIGHT:
        return f"as good on original data ({figures})"
    if difference.seen:
        return f"worse on original data: forgetting ({figures})"
    return f"perhaps worse on original data, too little of it to tell ({figures})"


def _sentence(rows: Sequence[Unit], difference: Difference, task: str) -> str:
    return _upper(_phrase(rows, difference, task)) + f" ({_means(difference)})."


def _phrase(rows: Sequence[Unit], difference: Difference, task: str) -> str:
    told = verdict(difference, _unit(rows, difference, task))
    several = 1 < difference.groups < difference.n
    return f"{told} of {difference.groups} images" if several else told


def _unit(rows: Sequence[Unit], difference: Difference, task: str) -> str:
    return unit_of([row for row in rows if difference.metric in row.old], task)


def _means(difference: Difference) -> str:
    title = TITLES.get(difference.metric, difference.metric)
    return f"{title} {difference.old:.2f} -> {difference.new:.2f}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
