"""Overlap of two masks of the same shape, pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def as_masks(prediction: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Mask, Mask]:
    """Return both as boolean arrays (non-zero is foreground).

    Raises
    ------
    ValueError
        The shapes differ: broadcasting would silently score something else.
    """
    p, t = np.asarray(prediction), np.asarray(truth)
    if p.shape != t.shape:
        raise ValueError(f"prediction has shape {p.shape}, truth has {t.shape}")
    return p.astype(bool, copy=False), t.astype(bool, copy=False)


def dice(prediction: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return ``2 |P ∩ T| / (|P| + |T|)`` (Dice 1945) of two masks of any equal shape.

    Two empty masks agree: 1.0. One empty mask: 0.0.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    p, t = as_masks(prediction, truth)
    total = int(p.sum()) + int(t.sum())
    return 2.0 * int((p & t).sum()) / total if total else 1.0


def iou(prediction: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return ``|P ∩ T| / |P ∪ T|`` (Jaccard 1912) of two masks of any equal shape.

    Two empty masks agree: 1.0. One empty mask: 0.0.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    p, t = as_masks(prediction, truth)
    union = int((p | t).sum())
    return int((p & t).sum()) / union if union else 1.0


def pixel_accuracy(prediction: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the share of pixels on which two label or mask arrays of equal shape agree.

    Raises
    ------
    ValueError
        The shapes differ, or there is no pixel.
    """
    p, t = np.asarray(prediction), np.asarray(truth)
    if p.shape != t.shape or not p.size:
        raise ValueError(f"prediction has shape {p.shape}, truth has {t.shape}")
    return float(np.mean(p == t))


def oracle_threshold_dice(image: npt.NDArray[Any], truth: npt.ArrayLike) -> tuple[float, float]:
    """Return the best Dice that any global threshold can reach, and that threshold.

    The threshold is chosen with the truth in hand, so this is what a model has to beat before it
    means anything. Every distinct grey value is tried, exactly.

    Parameters
    ----------
    image : numpy.ndarray
        Grey values; bright is foreground.
    truth : array-like
        Mask of the same shape.

    Returns
    -------
    dice : float
        Of ``image >= threshold`` against `truth`.
    threshold : float
        In grey values.

    Raises
    ------
    ValueError
        The shapes differ, or there is no pixel.
    """
    image = np.asarray(image)
    mask = np.asarray(truth).astype(bool, copy=False)
    if image.shape != mask.shape or not image.size:
        raise ValueError(f"image has shape {image.shape}, truth has {mask.shape}")
    values, index = np.unique(image.ravel(), return_inverse=True)
    at_or_above = np.bincount(index, minlength=values.size)[::-1].cumsum()[::-1]
    hits = np.bincount(index[mask.ravel()], minlength=values.size)[::-1].cumsum()[::-1]
    scores = 2.0 * hits / (at_or_above + int(mask.sum()))
    best = int(np.argmax(scores))
    return float(scores[best]), float(values[best])
