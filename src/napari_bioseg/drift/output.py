"""What a network says of an image, in three figures for each of its maps: how much it finds, how sure, in what shape.

A change that spoils the result shows in the result itself, whatever became of the grey values: a shift is found best in
what a trained network gives (black box shift detection: Lipton, Wang & Smola, ICML 2018; Rabanser, Günnemann & Lipton,
NeurIPS 2019).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_LEAST = 1e-4  # share of a class below which it counts as not there

Floats = npt.NDArray[np.float64]


def describe_output(chances: Sequence[npt.NDArray[np.float32]]) -> Floats:
    """Return share, doubt and outline of each map of a network, all as log2.

    Parameters
    ----------
    chances : sequence of ndarray
        Probabilities ``(K, Y, X)`` or ``(K, Z, Y, X)`` of each window.

    Returns
    -------
    ndarray
        ``(3 K,)``: the odds of a class, from its mean probability; the Brier score that the network itself expects, in
        units of that of the mean; and the mean step of the probability from pixel to pixel in the plane, in the same
        units, which is the length of outlines where there are any. The last two do not depend on how much there is.
        Empty without windows.
    """
    if not chances:
        return np.zeros(0)
    # A map at a time, which stays in the processor's cache: several times as fast.
    sums = np.mean([np.stack([_means(p) for p in window], axis=1) for window in chances], axis=0)
    share = np.clip(sums[0], _LEAST, 1 - _LEAST)
    spread = share * (1 - share)
    doubt, outline = (np.log2(np.maximum(value, _LEAST**2) / spread) for value in sums[1:])
    return np.concatenate([np.log2(share / (1 - share)), doubt, outline])


def _means(chance: npt.NDArray[np.float32]) -> Floats:
    """Return mean probability, mean ``p (1 - p)`` and mean step of one map, ``(3,)``."""
    p = chance.astype(np.float64)
    steps = sum(np.abs(np.diff(p, axis=axis)).sum() for axis in (-2, -1)) / (2 * p.size)
    return np.array([p.mean(), (p * (1 - p)).mean(), steps])
