"""Whether the images that come in have changed over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_bioseg.drift.distances import DISTANCES

RECENT = 20
"""Images that are compared with all before them; of these there must be as many, too."""

_CHANCE = 0.001  # of a change told at one image although there is none, over all distances


@dataclass(frozen=True)
class Change:
    """A stream that is not what it was.

    Attributes
    ----------
    first : int
        Number of the image, from 0, from which on it is different.
    distance : str
        The one of `DISTANCES` that differs most.
    before, now : float
        Its medians.
    """

    first: int
    distance: str
    before: float
    now: float


def recent_change(rows: Sequence[Mapping[str, float]]) -> Change | None:
    """Compare the last images with those before, by the test of Kolmogorov and Smirnov for each distance.

    A single unusual image is no change, and a stream of images that are all unusual alike is none either. The chance of
    one told in error is divided among the distances (Bonferroni).

    Parameters
    ----------
    rows : sequence of Mapping
        Distances of each image, see `distances`, the oldest first.

    Returns
    -------
    Change or None
        None also where there are fewer than twice `RECENT` images.
    """
    from scipy import stats  # takes a second to load

    if len(rows) < 2 * RECENT:
        return None
    # Of images that were checked by a reference of version 1, the output is not known.
    names = [name for name in DISTANCES if all(name in row for row in rows)]
    table = np.array([[row[name] for name in names] for row in rows])
    before, now = table[:-RECENT], table[-RECENT:]
    chances = [stats.ks_2samp(b, n).pvalue for b, n in zip(before.T, now.T, strict=True)]
    best = int(np.argmin(chances))
    if chances[best] >= _CHANCE / len(names):
        return None
    return Change(_first(table[:, best]), names[best], *(float(np.median(p[:, best])) for p in (before, now)))


def _first(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    """Return where cutting a row in two leaves the least variance of ranks in both parts."""
    from scipy import stats

    ranks = stats.rankdata(values)
    cuts = range(RECENT, len(values))
    return min(cuts, key=lambda i: float(ranks[:i].var() * i + ranks[i:].var() * (len(ranks) - i)))
