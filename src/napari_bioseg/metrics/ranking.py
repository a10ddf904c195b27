"""How well probabilities rank pixels or images, whatever the threshold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def auprc(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the area under the precision-recall curve: ``Σ (R_n - R_{n-1}) P_n`` over all thresholds.

    That is average precision, without interpolation, which would be too good (Davis and Goadrich, ICML 2006). Pixels
    of equal probability pass a threshold together. Of a class that is rare it tells more than the area under the ROC
    curve does; guessing gives the share of the pixels that are of the class.

    Parameters
    ----------
    probabilities : array-like
        Any numbers that are higher where the class is likelier, of any shape.
    truth : array-like
        Mask of the class, of the same shape.

    Raises
    ------
    ValueError
        The shapes differ, or no pixel is of the class.
    """
    p, true = np.asarray(probabilities), np.asarray(truth).astype(bool, copy=False)
    if p.shape != true.shape or not true.any():
        raise ValueError(f"probabilities have shape {p.shape}, truth has {true.shape} and {true.sum()} pixels in it")
    # Processors have no instructions to sort float16.
    wide = p.astype(np.float32) if p.dtype == np.float16 else p
    values, found = np.unique(wide[true], return_counts=True)
    others, false = np.unique(wide[~true], return_counts=True)
    # From the likeliest down: how many of either kind are at each value of a pixel of the class, or above it.
    hits = found[::-1].cumsum()
    wrong = false.sum() - np.append(0, false.cumsum())[np.searchsorted(others, values[::-1], side="left")]
    return float((found[::-1] * (hits / (hits + wrong))).sum() / hits[-1])


def auroc(values: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the area under the ROC curve: how often one of the class has a higher value than one that is not.

    Of equal values half counts (Hanley and McNeil, Radiology 143:29, 1982). Guessing gives 0.5.

    Parameters
    ----------
    values : array-like
        Any numbers that are higher where the class is likelier, of any shape.
    truth : array-like
        Mask of the class, of the same shape.

    Raises
    ------
    ValueError
        The shapes differ, or all are of the class, or none is.
    """
    v, true = np.asarray(values, np.float64), np.asarray(truth).astype(bool, copy=False)
    if v.shape != true.shape or true.all() or not true.any():
        raise ValueError(f"values have shape {v.shape}, truth has {true.shape} and {true.sum()} of {true.size} in it")
    others = np.sort(v[~true])
    below = np.searchsorted(others, v[true], side="left")
    up_to = np.searchsorted(others, v[true], side="right")
    return float((below + up_to).mean() / 2 / len(others))
