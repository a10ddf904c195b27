"""Agreement of two partitions of an image into cells, blind to the numbers the cells carry.

Foreground-restricted scores of Arganda-Carreras et al., Front. Neuroanat. 9:142 (2015), as in the
ISBI-2012 evaluation: only pixels that the truth gives to a cell (label > 0) count, and every
such pixel that the prediction leaves as border (label 0) is a segment of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]


class PartitionScores(NamedTuple):
    """Scores in 0..1; 1 is a perfect partition.

    Attributes
    ----------
    score : float
        Harmonic mean of the other two (alpha = 0.5 in the paper).
    split : float
        Falls when cells are cut into pieces (recall).
    merge : float
        Falls when cells run together (precision).
    """

    score: float
    split: float
    merge: float


def rand_scores(prediction: npt.NDArray[Any], truth: npt.NDArray[Any]) -> PartitionScores:
    """Return the foreground-restricted Rand scores V^Rand.

    Parameters
    ----------
    prediction, truth : numpy.ndarray
        Non-negative integer labels of equal shape; 0 is border.

    Raises
    ------
    ValueError
        The shapes differ, or the truth has no foreground.
    """
    joint, predicted, true, singles, n = _contingency(prediction, truth)
    single_pairs = singles / n**2
    together = float(joint @ joint) + single_pairs
    split = together / float(true @ true)
    merge = together / (float(predicted @ predicted) + single_pairs)
    return PartitionScores(2 * split * merge / (split + merge), split, merge)


def information_scores(prediction: npt.NDArray[Any], truth: npt.NDArray[Any]) -> PartitionScores:
    """Return the foreground-restricted information-theoretic scores V^Info.

    Mutual information over the entropy of the prediction (split), of the truth (merge), and of
    their mean (score). Where an entropy is 0 (a single cell) its ratio is 1, as nothing can be
    gained or lost there; the challenge's script gives such slices 0 or NaN.

    Parameters
    ----------
    prediction, truth : numpy.ndarray
        Non-negative integer labels of equal shape; 0 is border.

    Raises
    ------
    ValueError
        The shapes differ, or the truth has no foreground.
    """
    joint, predicted, true, singles, n = _contingency(prediction, truth)
    of_singles = singles / n * np.log(n)
    h_prediction = _entropy(predicted) + of_singles
    h_truth = _entropy(true)
    mutual = max(0.0, h_truth + h_prediction - _entropy(joint) - of_singles)
    return PartitionScores(
        _ratio(2 * mutual, h_prediction + h_truth), _ratio(mutual, h_prediction), _ratio(mutual, h_truth)
    )


def _contingency(prediction: npt.NDArray[Any], truth: npt.NDArray[Any]) -> tuple[Counts, Counts, Counts, int, int]:
    """Return p_ij, s_i, t_j as shares of the true foreground, the number of singletons, and of pixels."""
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction has shape {prediction.shape}, truth has {truth.shape}")
    inside = truth > 0
    n = int(inside.sum())
    if not n:
        raise ValueError("the truth has no foreground: a foreground-restricted score is not defined")
    p, t = prediction[inside].astype(np.int64), truth[inside].astype(np.int64)
    assigned = p > 0
    pairs = p[assigned] * (int(t.max()) + 1) + t[assigned]
    joint, predicted, true = (np.unique(x, return_counts=True)[1] / n for x in (pairs, p[assigned], t))
    return joint, predicted, true, n - int(assigned.sum()), n


def _entropy(shares: Counts) -> float:
    return float(-(shares * np.log(shares)).sum())


def _ratio(part: float, whole: float) -> float:
    return min(1.0, part / whole) if whole > 1e-12 else 1.0
