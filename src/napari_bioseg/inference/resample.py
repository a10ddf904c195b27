"""Reflection beyond the border, and separable linear interpolation between the two grids.

Weights depend on the absolute coordinate of a pixel only, and are summed in a fixed order, so that a pixel
gets the same value, to the last bit, whatever tile it is computed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.inference.tiles import Axis, Span

_TRUNCATE = 4.0  # standard deviations at which the Gaussian is cut, as in scipy.ndimage


def reflected(coordinates: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Return the pixel that stands at each coordinate of a mirrored axis: ``... 1 0 | 0 1 .. n-1 | n-1 n-2 ...``.

    Parameters
    ----------
    coordinates : ndarray of int
        Any, also far outside.
    size : int
        Pixels of the axis, at least 1.
    """
    wave = coordinates % (2 * size)
    return np.minimum(wave, 2 * size - 1 - wave)


@dataclass(frozen=True)
class Taps:
    """A linear operator along one axis: ``out[i] = sum_k weights[i, k] * in[first[i] + k]``."""

    first: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]

    @property
    def span(self) -> Span:
        """Coordinates that are read."""
        return Span(int(self.first[0]), int(self.first[-1]) + self.weights.shape[1])

    def apply(self, values: npt.NDArray[np.float32], axis: int, start: int) -> npt.NDArray[np.float32]:
        """Apply to an array whose first element along `axis` has the coordinate `start`."""
        shape = [1] * values.ndim
        shape[axis] = -1
        out: npt.NDArray[np.float32] | None = None
        for k in range(self.weights.shape[1]):
            part = np.take(values, self.first - start + k, axis=axis)
            part *= self.weights[:, k].reshape(shape)
            out = part if out is None else np.add(out, part, out=out)
        return values if out is None else out


def to_model_taps(axis: Axis, span: Span) -> Taps:
    """Return what makes model pixels from image pixels: a Gaussian blur when shrinking, then interpolation."""
    position = (np.arange(*span) + 0.5) * axis.factor - 0.5
    base = np.floor(position)
    blur = _gaussian((axis.factor - 1) / 2)
    fraction = (position - base)[:, None]
    weights = np.pad((1 - fraction) * blur, ((0, 0), (0, 1))) + np.pad(fraction * blur, ((0, 0), (1, 0)))
    return Taps(base.astype(np.int64) - len(blur) // 2, weights.astype(np.float32))


def to_image_taps(axis: Axis, core: Span) -> Taps:
    """Return what makes image pixels from model pixels: linear interpolation."""
    position = (np.arange(*core) + 0.5) / axis.factor - 0.5
    base = np.floor(position)
    fraction = position - base
    return Taps(base.astype(np.int64), np.stack((1 - fraction, fraction), axis=1).astype(np.float32))


def _gaussian(sigma: float) -> npt.NDArray[np.float64]:
    if sigma <= 0:
        return np.ones(1)
    radius = int(_TRUNCATE * sigma + 0.5)
    weights: npt.NDArray[np.float64] = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    return weights


def read_span(axis: Axis, inputs: Span) -> Span:
    """Return the image coordinates, also beyond the border, from which model pixels are made."""
    return to_model_taps(axis, inputs).span if axis.resampled else inputs


def inside(axis: Axis, span: Span) -> Span:
    """Return the smallest span of real pixels that a span of the mirrored axis shows."""
    pixels = reflected(np.arange(*span), axis.size)
    return Span(int(pixels.min()), int(pixels.max()) + 1)


def extend(values: npt.NDArray[Any], axis: int, span: Span, size: int, start: int) -> npt.NDArray[Any]:
    """Return `values`, whose first element along `axis` is pixel `start`, mirrored out to `span`."""
    if span.start == start and span.length == values.shape[axis]:
        return values
    return np.take(values, reflected(np.arange(*span), size) - start, axis=axis)
