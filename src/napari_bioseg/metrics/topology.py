"""Agreement of thin, branching structures by their centre lines."""

from __future__ import annotations

import numpy.typing as npt
from skimage.morphology import skeletonize

from napari_bioseg.metrics.overlap import Mask, as_masks


def cldice(prediction: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the centre-line Dice of two masks (Shit et al., CVPR 2021, arXiv:2003.07311).

    The harmonic mean of topology precision, the share of the prediction's skeleton inside the
    truth, and topology sensitivity, the share of the truth's skeleton inside the prediction.
    Skeletons by Zhang (2-D) and Lee (3-D). Two empty masks agree: 1.0. One empty mask: 0.0.

    Parameters
    ----------
    prediction, truth : array-like
        Masks of equal shape, YX or ZYX.

    Raises
    ------
    ValueError
        The shapes differ, or they are neither 2-D nor 3-D.
    """
    p, t = as_masks(prediction, truth)
    if p.ndim not in (2, 3):
        raise ValueError(f"clDice is defined in 2-D and 3-D, the masks have {p.ndim} dimensions")
    if not p.any() or not t.any():
        return float(p.any() == t.any())
    precision = _share_inside(skeletonize(p), t)
    sensitivity = _share_inside(skeletonize(t), p)
    total = precision + sensitivity
    return 2.0 * precision * sensitivity / total if total else 0.0


def _share_inside(skeleton: Mask, mask: Mask) -> float:
    points = skeleton.astype(bool)
    return float(mask[points].mean()) if points.any() else 0.0
