"""Figures of an image as a network sees it: grey values, noise, sharpness, saturation, and its features.

All but saturation and levels are taken from normalised grey values in model pixels, so that they tell what matters to
the model: a camera with another gain gives the same figures, one with another noise does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.drift.output import describe_output

EDGES: npt.NDArray[np.float64] = np.linspace(-0.5, 1.5, 41)
"""Of the bins of the histogram; what lies beyond counts in the first and in the last bin."""
BANDS: npt.NDArray[np.float64] = 2.0 ** np.arange(-6.5, -0.5, 0.5)
"""Edges of the bands of the spectrum in cycles a pixel, half an octave each; the first and the last band are open."""
CENTRES: npt.NDArray[np.float64] = np.log2(np.sqrt(np.append(BANDS, 0.5) * np.insert(BANDS, 0, BANDS[0] / 2)))
"""log2 of the middle frequency of each band."""

_NORMAL_MEDIAN = 0.6745  # of the absolute value of a normal variable of standard deviation 1
_LEAST = 1e-4  # below which noise and contrast count as none, in shares of the normalised range

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """What a few windows of one image tell.

    Attributes
    ----------
    histogram : ndarray
        Share of the normalised grey values in each bin of `EDGES`.
    spectrum : ndarray
        log2 of the power in each band of `BANDS`, less their mean: how coarse the structures are.
    noise : float
        log2 of the noise's standard deviation in shares of the normalised range, from the median of the finest diagonal
        differences (Donoho & Johnstone, Biometrika 1994).
    contrast : float
        log2 of the standard deviation of the grey values.
    sharpness : float
        Mean frequency of the spectrum in octaves, weighted by power times frequency: blur lowers it.
    saturation : float
        Share of pixels of the file at its lowest or highest value.
    levels : float
        log2 of the number of different values in the file, of at most 12 bit.
    features : ndarray
        Mean activations of the network, ``(F,)``.
    output : ndarray
        What the network says of some windows, see `output.describe_output`; empty where it was not run to its end.
    """

    histogram: Floats
    spectrum: Floats
    noise: float
    contrast: float
    sharpness: float
    saturation: float
    levels: float
    features: Floats
    output: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def snr(self) -> float:
        """log2 of the contrast in units of the noise."""
        return self.contrast - self.noise


def describe(
    grey: Sequence[npt.NDArray[np.float32]],
    raw: Sequence[npt.NDArray[Any]],
    features: Sequence[npt.NDArray[Any]],
    chances: Sequence[npt.NDArray[np.float32]] = (),
) -> Figures:
    """Return the figures of the windows of one image.

    Parameters
    ----------
    grey : sequence of ndarray
        Normalised ``(Y, X)``, each of the same shape.
    raw : sequence of ndarray
        The pixels that each was made from, of any shape.
    features : sequence of ndarray
        ``(F,)`` of each.
    chances : sequence of ndarray
        Probabilities that the network gives, ``(K, *space)``, of some of them.
    """
    noise = np.median([_noise(g) for g in grey])
    powers = np.mean([_powers(g) for g in grey], axis=0)
    spectrum = np.log2(powers + _LEAST**2)
    weight = powers * 2.0**CENTRES + _LEAST**2
    values = np.concatenate([np.asarray(r).ravel() for r in raw])
    return Figures(
        histogram=_histogram(np.stack(grey)),
        spectrum=spectrum - spectrum.mean(),
        noise=float(np.log2(max(noise, _LEAST))),
        contrast=float(np.log2(max(np.median([g.std() for g in grey]), _LEAST))),
        sharpness=float((weight * CENTRES).sum() / weight.sum()),
        saturation=float(np.mean((values == values.min()) | (values == values.max()))),
        levels=min(12.0, float(np.log2(len(np.unique(values))))),
        features=np.mean(features, axis=0, dtype=np.float64),
        output=describe_output(chances),
    )


def _histogram(values: npt.NDArray[np.float32]) -> Floats:
    # With a number of bins instead of their edges, which are the same, values need not be sorted.
    counts, _ = np.histogram(np.clip(values, EDGES[0], EDGES[-1]), len(EDGES) - 1, (EDGES[0], EDGES[-1]))
    return np.asarray(counts / counts.sum())


def _noise(grey: npt.NDArray[np.float32]) -> float:
    even = grey[: grey.shape[0] // 2 * 2, : grey.shape[1] // 2 * 2]
    diagonal = (even[::2, ::2] - even[1::2, ::2] - even[::2, 1::2] + even[1::2, 1::2]) / 2
    return float(np.median(np.abs(diagonal))) / _NORMAL_MEDIAN


def _powers(grey: npt.NDArray[np.float32]) -> Floats:
    """Return the power in each band: the squared spectrum of the window, tapered so that its borders do not ring."""
    taper = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])
    squares = np.abs(np.fft.rfft2((grey - grey.mean()) * taper)) ** 2 / (taper**2).sum() / grey.size
    frequency = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1]))
    band = np.searchsorted(BANDS, frequency.ravel())
    sums = np.bincount(band, squares.ravel(), len(BANDS) + 1)
    return np.asarray(sums)
