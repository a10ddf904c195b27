"""Scores of a membrane prediction, as in the ISBI-2012 challenge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
from skimage.measure import label
from skimage.segmentation import watershed

from napari_bioseg.metrics.overlap import Mask, pixel_accuracy
from napari_bioseg.metrics.partition import information_scores, rand_scores

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class MembraneScores(TypedDict):
    """What `membrane_scores` returns.

    Attributes
    ----------
    v_rand, v_info : float
        The best mean over the slices, each at its own threshold.
    threshold : float
        Where `v_rand` is best.
    pixel_accuracy : float
        Share of pixels that are right at `threshold`, borders included.
    """

    v_rand: float
    v_info: float
    threshold: float
    pixel_accuracy: float


def thin_borders(interior: Mask) -> npt.NDArray[np.int32]:
    """Return cells grown until the borders between them are one pixel wide.

    The cells are the 4-connected components of `interior`; a watershed with lines (Vincent and
    Soille 1991) on the flat remainder grows them at equal pace. A border that ends inside a cell
    vanishes, so the score depends on who is separated from whom and not on how wide it was drawn.

    Parameters
    ----------
    interior : numpy.ndarray of bool
        YX.

    Returns
    -------
    numpy.ndarray of int32
        YX labels, 0 on the lines (everywhere when there is no interior).
    """
    cells = label(interior, connectivity=1)
    flat = np.zeros(interior.shape, np.uint8)
    grown: npt.NDArray[np.int32] = watershed(flat, cells, connectivity=1, watershed_line=True)
    return grown if cells.any() else np.zeros(interior.shape, np.int32)


def membrane_scores(
    probability_of_interior: npt.NDArray[Any],
    truth_interior: npt.NDArray[Any],
    thresholds: Sequence[float] = THRESHOLDS,
) -> MembraneScores:
    """Return V^Rand and V^Info after border thinning.

    Arganda-Carreras et al., Front. Neuroanat. 9:142 (2015), in the steps of the challenge's script
    (Fiji, Trainable Segmentation, ``VariationOfInformation``; V^Rand is treated alike): for each
    threshold and slice the predicted interior (``probability > threshold``) is thinned by
    `thin_borders`; the true cells are the 4-connected components of the true interior, their
    borders as drawn; the foreground-restricted score is taken slice by slice and averaged; the
    best average over the thresholds counts. The script also tries 0 and 1, where nothing is parted
    or nothing is left. Slices without true interior have no score and are left out of the average.

    Parameters
    ----------
    probability_of_interior : numpy.ndarray
        ZYX or YX, 0..1.
    truth_interior : numpy.ndarray
        Same shape; non-zero inside cells, 0 on membranes.
    thresholds : sequence of float
        Tried in this order; give one for the score at a fixed threshold.

    Raises
    ------
    ValueError
        The shapes differ or are neither 2-D nor 3-D, or the truth has no interior.
    """
    probability, truth = np.asarray(probability_of_interior), np.asarray(truth_interior) > 0
    if probability.shape != truth.shape or truth.ndim not in (2, 3):
        raise ValueError(f"probability has shape {probability.shape}, truth has {truth.shape}")
    slices, true_slices = (a.reshape(-1, *a.shape[-2:]) for a in (probability, truth))
    scored = [z for z in range(len(true_slices)) if true_slices[z].any()]
    if not scored or not len(thresholds):
        raise ValueError("nothing to score: the truth has no interior, or no threshold is given")
    cells = {z: label(true_slices[z], connectivity=1) for z in scored}
    means = [_mean_scores(slices, cells, threshold) for threshold in thresholds]
    best = int(np.argmax([rand for rand, _ in means]))
    return MembraneScores(
        v_rand=means[best][0],
        v_info=max(info for _, info in means),
        threshold=float(thresholds[best]),
        pixel_accuracy=pixel_accuracy(probability > thresholds[best], truth),
    )


def _mean_scores(slices: npt.NDArray[Any], cells: dict[int, npt.NDArray[Any]], threshold: float) -> tuple[float, float]:
    scores = []
    for z, true_cells in cells.items():
        thinned = thin_borders(slices[z] > threshold)
        scores.append((rand_scores(thinned, true_cells).score, information_scores(thinned, true_cells).score))
    rand, info = np.mean(scores, axis=0)
    return float(rand), float(info)
