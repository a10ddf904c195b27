"""How grey values are brought to the range that a model was trained on.

The figures come from a whole plane or a whole volume, never from a tile: otherwise the result would
depend on the tile size.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from napari_bioseg.core.options import Options

CLIP = 10.0
"""Largest normalised value, unless a card says otherwise."""


_BRIGHT = 99.7
_BACKGROUND = (0.02, 0.1)  # least and largest background, of what lies between black and the percentile 99.7


class Normalisation(Options):
    """Which figures to take, and from what."""

    method: Literal["percentile", "background", "zscore", "fixed"] = Field(
        "percentile", description="How the range is found"
    )
    scope: Literal["plane", "volume"] = Field("plane", description="What the figures are taken from")
    low: float = Field(1.0, description="Percentile, or grey value if fixed, that becomes 0")
    high: float = Field(
        99.0, description="Percentile, grey value if fixed, or multiple of the background if background, that becomes 1"
    )
    clip: tuple[float, float] | None = Field(
        (-CLIP, CLIP), description="Least and largest normalised value, those beyond become these; null: any"
    )

    def fit(self, sample: npt.NDArray[Any]) -> tuple[float, float]:
        """Return ``(offset, gain)`` for ``(value - offset) * gain``, from grey values of any shape."""
        values = np.asarray(sample, dtype=np.float32).ravel()
        values = values[np.isfinite(values)]
        if values.size == 0:
            return 0.0, 1.0
        if self.method == "zscore":
            return float(values.mean()), 1.0 / max(float(values.std()), 1e-6)
        if self.method == "background":
            return self._fit_background(values)
        low, high = (self.low, self.high) if self.method == "fixed" else np.percentile(values, (self.low, self.high))
        span = float(high) - float(low)
        # A constant image has no span: keep its values finite instead of dividing by nothing.
        return float(low), 1.0 / span if span > 0 else 1.0

    def _fit_background(self, values: npt.NDArray[np.float32]) -> tuple[float, float]:
        """Measure grey values by the background: the median of what is brighter than the percentile `low`.

        How bright the brightest of an image is says little of how bright the dim are: of the two-photon volumes at hand
        the best single threshold lies at 0.03 to 0.20 of the percentile 99.7, but at 1.4 to 2.8 times the background.
        What is black is left out, since in an image whose contrast was stretched half of it may be cut to 0.
        """
        low, bright = (float(v) for v in np.percentile(values, (self.low, _BRIGHT)))
        above = values[values > low]
        level = float(np.median(above)) - low if above.size else 0.0
        # Where nothing but objects is brighter than black, or the background even, the median is no measure.
        level = float(np.clip(level, (bright - low) * _BACKGROUND[0], (bright - low) * _BACKGROUND[1]))
        span = self.high * level
        return low, 1.0 / span if span > 0 else 1.0

    def apply(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return a plane or a volume normalised by its own figures, in any number of axes."""
        return apply_normalisation(values, *self.fit(values), self.clip)

    def apply_to_sample(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return ``(*space)`` as a network sees it, ``(Y, X)`` or ``(Z, Y, X)``, normalised."""
        if self.scope == "plane" and values.ndim == 3:
            return np.stack([self.apply(plane) for plane in values])
        return self.apply(values)


def apply_normalisation(
    values: npt.NDArray[Any], offset: float, gain: float, clip: tuple[float, float] | None = (-CLIP, CLIP)
) -> npt.NDArray[np.float32]:
    """Return ``(values - offset) * gain`` as float32, clipped; not-a-number becomes 0, unclipped infinities too."""
    scaled = (np.asarray(values, dtype=np.float32) - np.float32(offset)) * np.float32(gain)
    low, high = clip or (0.0, 0.0)
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=high, neginf=low)
    if clip is not None:
        np.clip(scaled, low, high, out=scaled)
    return scaled
