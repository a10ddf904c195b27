"""Differences of two scores taken on the same images: how large, how sure, and that in words.

Units of one group (neighbouring slices of a stack) are alike, so that where there are several groups, whole groups
are drawn (cluster bootstrap: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

Floats = npt.NDArray[np.float64]

LEAST = 3
"""Fewer units say nothing about how much they differ."""

TITLES = {
    "iou": "IoU",
    "auprc": "AUPRC",
    "dice": "Dice",
    "cldice": "clDice",
    "pixel_accuracy": "pixel accuracy",
    "v_rand": "V-Rand",
    "v_info": "V-Info",
    "map50": "mAP50",
    "map": "mAP",
    "f1": "F1",
    "f1_integral": "F1 integral",
    "count_error": "count error",
}
"""Metrics as they are written in a sentence."""

FALLING = ("count_error",)
"""Metrics of which less is better."""


@dataclass(frozen=True)
class Difference:
    """A score after minus the same score before, over units that both were taken on.

    Attributes
    ----------
    metric : str
    old, new : float
        Means over the units; NaN without any.
    mean, low, high : float
        Of ``new - old``, with its interval; NaN where there are too few units for one.
    n, groups : int
        Units, and groups of them.
    """

    metric: str
    old: float
    new: float
    mean: float
    low: float
    high: float
    n: int
    groups: int

    @property
    def gain(self) -> float:
        """How much better the new one is: negative where it is worse, also where less of a metric is better."""
        return -self.mean if self.metric in FALLING else self.mean

    @property
    def seen(self) -> bool:
        """Whether a difference can be told from chance: at least `LEAST` units, and 0 outside the interval."""
        return self.n >= LEAST and bool(self.low > 0 or self.high < 0)


def paired_difference(
    metric: str,
    old: Sequence[float],
    new: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    repeats: int = 2000,
    seed: int = 0,
) -> Difference:
    """Return the mean of paired differences with an interval; the same for the same input.

    The interval is the percentile bootstrap of the mean (Efron, Ann. Stat. 7:1, 1979), by groups where there are two or
    more. A bootstrap never leaves the range of its data, so that three differences of one sign would always look sure:
    each end is at least as far out as that of Student's interval (Biometrika 6:1, 1908), with the variance between
    groups where groups are drawn (Liang and Zeger, Biometrika 73:13, 1986).

    Parameters
    ----------
    metric : str
    old, new : sequence of float
        One a unit, in the same order; a unit where either is not finite is left out.
    groups : sequence, optional
        Of each unit; none: each unit stands for itself.
    level : float
        How sure the interval is.
    repeats, seed : int

    Raises
    ------
    ValueError
        The sequences differ in length.
    """
    a, b = np.asarray(old, np.float64), np.asarray(new, np.float64)
    names = list(range(len(a))) if groups is None else list(groups)
    if not len(a) == len(b) == len(names):
        raise ValueError(f"{len(a)} old scores, {len(b)} new ones, {len(names)} groups")
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    if not len(a):
        nan = float("nan")
        return Difference(metric, nan, nan, nan, nan, nan, n=0, groups=0)
    kinds = {name: i for i, name in enumerate(dict.fromkeys(n for n, k in zip(names, known, strict=True) if k))}
    group = np.array([kinds[n] for n, k in zip(names, known, strict=True) if k])
    drawn = group if len(kinds) > 1 else np.arange(len(a))
    low, high = _interval(b - a, drawn, level, repeats, seed)
    return Difference(
        metric, float(a.mean()), float(b.mean()), float((b - a).mean()), low, high, n=len(a), groups=len(kinds)
    )


def mean_interval(
    values: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    repeats: int = 2000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return an interval of the mean of scores, as `paired_difference` has it of differences.

    Parameters
    ----------
    values : sequence of float
        One a unit.
    groups : sequence, optional
        Of each unit; none, or the same for all: each unit stands for itself.
    level : float
        How sure the interval is.
    repeats, seed : int

    Returns
    -------
    tuple of float or None
        None where there are fewer than `LEAST` units, or groups where these are drawn.
    """
    names = list(dict.fromkeys(groups)) if groups is not None else []
    group = np.array([names.index(g) for g in groups or ()]) if len(names) > 1 else np.arange(len(values))
    if len(np.unique(group)) < LEAST:
        return None
    return _interval(np.asarray(values, np.float64), group, level, repeats, seed)


def _interval(
    values: Floats, group: npt.NDArray[np.int_], level: float, repeats: int, seed: int
) -> tuple[float, float]:
    """Return the interval of a mean where groups are drawn."""
    sums, counts = np.bincount(group, values), np.bincount(group)
    n = len(sums)
    if n < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(n, size=(repeats, n))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    mean = values.mean()
    error = np.sqrt(n / (n - 1) * ((sums - counts * mean) ** 2).sum()) / len(values)
    reach = float(stdtrit(n - 1, 1 - tail)) * error
    return float(min(low, mean - reach)), float(max(high, mean + reach))


def verdict(difference: Difference, unit: str = "slice") -> str:
    """Return a difference in words, e.g. ``"better by 0.04 IoU [0.02, 0.06] on 6 slices"``.

    Parameters
    ----------
    difference : Difference
    unit : str
        What was scored one by one: ``"slice"``, ``"frame"``, ``"image"``.
    """
    if not difference.seen:
        return f"no difference can be seen with {counted(difference.n, unit)}"
    sign = 1 if difference.mean > 0 else -1
    size, *ends = sign * difference.mean, *sorted((sign * difference.low, sign * difference.high))
    digits = _digits(size, *ends)
    span = ", ".join(f"{end:.{digits}f}" for end in ends)
    word = "better" if difference.gain > 0 else "worse"
    title = TITLES.get(difference.metric, difference.metric)
    return f"{word} by {size:.{digits}f} {title} [{span}] on {counted(difference.n, unit)}"


def counted(n: int, unit: str) -> str:
    """Return how many there are of something, e.g. ``"1 slice"`` or ``"3 slices"``."""
    return f"{n} {unit}{'' if n == 1 else 's'}"


def _digits(*values: float) -> int:
    """Return how many decimals keep every one of them from being written as 0: two at least, four at most."""
    return next((d for d in (2, 3) if all(round(abs(v), d) > 0 for v in values)), 4)
