"""Whether probabilities are what they say: that of all pixels with probability 0.7, 70 % are of the class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram (DeGroot & Fienberg, The Statistician 32:12, 1983).

    Attributes
    ----------
    counts : ndarray of int64
        How many probabilities fall into each of the bins, which share 0..1 evenly.
    predicted, observed : ndarray of float64
        Mean probability, and share of events that came true, in each bin; not-a-number in empty ones.
    """

    counts: npt.NDArray[np.int64]
    predicted: Floats
    observed: Floats

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean over all of ``|observed - predicted|`` of their bins.

        Naeini et al., AAAI 2015; Guo et al., ICML 2017 (arXiv:1706.04599) with 15 bins.
        """
        filled = self.counts > 0
        gaps = np.abs(self.observed - self.predicted)[filled]
        return float(gaps @ self.counts[filled] / self.counts.sum())


def reliability(probabilities: npt.ArrayLike, came_true: npt.ArrayLike, *, bins: int = 15) -> Reliability:
    """Set probabilities beside what came true.

    For the error of Guo et al. give the probability of the likeliest class and whether it is the right one, see
    `confidence`; for the diagram of one class give its probability and whether it is there.

    Parameters
    ----------
    probabilities : array-like
        In 0..1, of any shape.
    came_true : array-like
        Mask of the same shape.
    bins : int
        How many. A probability on the border of two belongs to the upper one, 1 to the last.

    Raises
    ------
    ValueError
        The shapes differ, there is nothing, or a probability is not in 0..1.
    """
    p, true = np.asarray(probabilities, np.float64), np.asarray(came_true).astype(bool, copy=False)
    if p.shape != true.shape or not p.size:
        raise ValueError(f"probabilities have shape {p.shape}, what came true {true.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("probabilities must lie in 0..1")
    index = np.minimum((p.ravel() * bins).astype(np.int64), bins - 1)
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        predicted = np.bincount(index, p.ravel(), bins) / counts
        observed = np.bincount(index, true.ravel(), bins) / counts
    return Reliability(counts, predicted, observed)


def confidence(probability: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return, of two classes, the probability of the likelier one, and whether it is the right one.

    Parameters
    ----------
    probability : array-like
        Of the foreground.
    truth : array-like
        Mask of the foreground, of the same shape.
    """
    p, foreground = np.asarray(probability, np.float64), np.asarray(truth).astype(bool, copy=False)
    return np.maximum(p, 1 - p), (p >= 0.5) == foreground
