"""Which class each pixel belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.prediction import ClassInfo

Indices = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def classify(probabilities: npt.NDArray[np.float16], threshold: float, activation: str) -> Indices:
    """Return 0 for background, else 1 + the position of the likeliest class, where that is likelier than `threshold`.

    Parameters
    ----------
    probabilities : ndarray of float16
        ``(K, *space)`` in 0..1; with softmax, channel 0 is the background.
    threshold : float
    activation : str
        ``"sigmoid"`` or ``"softmax"``.

    Returns
    -------
    ndarray of uint8 (uint16 beyond 255 classes)
        ``(*space)``.
    """
    # Numbers of 0 or more sort as the integers of the same bits do, and those are compared fifty times faster
    # than float16, for which processors have no instructions.
    bits = np.asarray(probabilities, np.float16).view(np.uint16)[1 if activation == "softmax" else 0 :]
    limit = _bits_below(threshold)
    if len(bits) == 1:
        above: npt.NDArray[np.bool_] = bits[0] > limit
        return above.view(np.uint8)
    indices: Indices = np.zeros(bits.shape[1:], np.uint8 if len(bits) < 256 else np.uint16)
    best = np.full(bits.shape[1:], limit, np.uint16)
    for i, channel in enumerate(bits, start=1):
        better = channel > best
        np.copyto(indices, i, where=better)
        np.maximum(best, channel, out=best)
    return indices


def _bits_below(threshold: float) -> np.uint16:
    # The largest float16 that is not above the threshold, so that p > threshold holds exactly.
    nearest = np.float16(threshold)
    if float(nearest) > threshold:
        nearest = np.nextafter(nearest, np.float16(-1))
    return np.uint16(max(nearest, np.float16(0)).view(np.uint16))


def class_values(classes: Sequence[ClassInfo]) -> npt.NDArray[np.uint32]:
    """Return the label value of each index that `classify` gives."""
    return np.array([0, *(c.value for c in classes)], np.uint32)
