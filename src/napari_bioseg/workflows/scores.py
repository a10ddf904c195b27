"""`Row`: how good a model is on one image, or on several together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from statistics import mean

from napari_bioseg.metrics.paired import FALLING, mean_interval


@dataclass(frozen=True)
class Row:
    """Scores of one image.

    Attributes
    ----------
    image : str
        Its name.
    scores : dict of str to float
        Of the model.
    oracle : dict of str to float
        Of the single grey-value threshold with the best Dice, found with the truth in hand: a model means
        something only above it. Scores of cells parted by membranes are left out, and those of boxes.
    intervals : dict of str to tuple of float
        95 % of the scores: of boxes by drawing frames, where 5 or more have a box; of labels of the mean of slices,
        each scored by itself, where the network sees planes and there are 3 or more; of `mean_row` over its images.
    confusion : tuple of tuple of int
        Pixels of each true class (rows) by what they were found to be (columns), background first; none of boxes.
    """

    image: str
    scores: dict[str, float]
    oracle: dict[str, float]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()


def mean_row(rows: Sequence[Row], groups: Sequence[Hashable] | None = None) -> Row:
    """Return the mean of each score over the images that have it, with its interval where they are 3 or more.

    Parameters
    ----------
    rows : sequence of Row
        One an image.
    groups : sequence, optional
        Of each image: whole groups are drawn where there are several.
    """
    names = dict.fromkeys(name for row in rows for name in row.scores)
    baselines = dict.fromkeys(name for row in rows for name in row.oracle)
    row = Row(
        f"mean of {len(rows)} images",
        {name: mean(row.scores[name] for row in rows if name in row.scores) for name in names},
        {name: mean(row.oracle[name] for row in rows if name in row.oracle) for name in baselines},
    )
    units = range(len(rows)) if groups is None else groups
    for name in names:
        those = [(row.scores[name], unit) for row, unit in zip(rows, units, strict=True) if name in row.scores]
        interval = score_interval(name, [value for value, _ in those], [unit for _, unit in those])
        row.intervals.update({name: interval} if interval else {})
    return row


def score_interval(
    metric: str, values: Sequence[float], groups: Sequence[Hashable] | None = None
) -> tuple[float, float] | None:
    """Return `mean_interval` of scores, within what the metric can be."""
    interval = mean_interval(values, groups)
    if interval is None:
        return None
    return max(0.0, interval[0]), interval[1] if metric in FALLING else min(1.0, interval[1])
