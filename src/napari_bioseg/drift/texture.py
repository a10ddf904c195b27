"""Which change of a model's training images explains the spectrum of an image best: noise, blur, or other pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_bioseg.drift.distances import FLOOR
from napari_bioseg.drift.figures import BANDS, CENTRES, Figures
from napari_bioseg.drift.profile import Profile
from napari_bioseg.drift.sketch import filled

Floats = npt.NDArray[np.float64]
Kind = Literal["none", "noise", "blur", "pixel size"]

_NOISE: Floats = 2.0 ** np.arange(-6, 8.5, 0.5)  # power of white noise in units of the image's own
_BLUR: Floats = np.arange(0.4, 4.1, 0.2)  # standard deviation of a Gaussian, pixels
_OCTAVES: Floats = np.array([o for o in np.arange(-20, 21) / 10 if abs(o) > 0.3])  # of the size of pixels
_OVERLAP = 6  # bands that must be left to compare when a spectrum is shifted
_FAINT = 1e-7  # of the power: what a strong blur leaves at the finest scales
_SIDE = 256  # pixels of the window in which the modes of a band are counted


@dataclass(frozen=True)
class Explanation:
    """A change of the training images.

    Attributes
    ----------
    kind : str
        ``"none"`` leaves them as they are.
    amount : float
        Size of the image's pixels in pixels of the training for ``"pixel size"``; else 1.
    distance : float
        What is left unexplained: standard deviations, root mean square over the bands.
    """

    kind: Kind
    amount: float
    distance: float


def explanations(figures: Figures, profile: Profile) -> list[Explanation]:
    """Return the best change of each kind, the one that explains most first.

    The mean spectrum of the reference is changed as noise, blur or another size of pixels would change it, and compared
    by the covariance of the reference, since training images vary in the same ways. The contrast is left free.
    """
    found = [min(_of(kind, figures.spectrum, profile), key=lambda e: e.distance) for kind in ("none", "noise", "blur")]
    coarser = figures.sharpness > profile.figures["sharpness"].mean
    shifted = [e for e in _shifted(figures.spectrum, profile) if (e.amount > 1) == coarser]
    # Of explanations that are about as good, the least change.
    nearest = min(shifted, key=lambda e: e.distance + 0.1 * abs(np.log2(e.amount)))
    return sorted([*found, nearest], key=lambda e: e.distance)


def _of(kind: Kind, spectrum: Floats, profile: Profile) -> Iterator[Explanation]:
    power = 2 ** np.array(profile.spectrum)
    power /= power.sum()
    covariance, every = _covariance(profile), np.arange(len(power))
    for changed in _changed(kind, power):
        yield Explanation(kind, 1.0, _distance(spectrum - np.log2(changed), covariance, every))


def _changed(kind: Kind, power: Floats) -> Iterator[Floats]:
    if kind == "none":
        yield power
    elif kind == "noise":
        yield from (power + share * _white() for share in _NOISE)
    else:
        yield from (power * np.exp(-((2 * np.pi * sigma * 2**CENTRES) ** 2)) + _FAINT * _white() for sigma in _BLUR)


def _shifted(spectrum: Floats, profile: Profile) -> Iterator[Explanation]:
    """Yield what coarser or finer pixels leave unexplained: they shift a spectrum along its logarithmic bands."""
    covariance = _covariance(profile)
    for octaves in _OCTAVES:
        # Finer pixels than the training's have no power beyond what those told of.
        places, last = CENTRES - octaves, CENTRES[-2] + min(octaves, 0.0)
        told = np.flatnonzero((places >= CENTRES[0]) & (places <= CENTRES[-2]) & (last >= CENTRES))
        if len(told) < _OVERLAP:
            continue
        from_band = np.clip(np.arange(len(CENTRES)) - round(2 * octaves), 0, len(CENTRES) - 1)
        moved = covariance[np.ix_(from_band, from_band)] + FLOOR["spectrum"] ** 2 * np.eye(len(CENTRES))
        expected = np.interp(places, CENTRES, profile.spectrum)
        left = _distance(spectrum - expected, moved, told)
        yield Explanation("pixel size", float(2**octaves), left)


def _covariance(profile: Profile) -> Floats:
    sd = np.hypot(profile.spectrum_sd, FLOOR["spectrum"])
    together = filled(profile.spectrum_covariance) if profile.spectrum_covariance else np.eye(len(sd))
    return np.asarray(together * np.outer(sd, sd))


def _distance(left: Floats, covariance: Floats, told: npt.NDArray[np.intp]) -> float:
    """Return the Mahalanobis distance of some bands from any constant, root mean square."""
    inverse, values = np.linalg.inv(covariance[np.ix_(told, told)]), left[told]
    gain = inverse.sum(0) @ values / inverse.sum()
    off = values - gain
    return float(np.sqrt(off @ inverse @ off / len(told)))


@cache
def _white() -> Floats:
    """Return the share of white noise in each band, which is that of its modes."""
    frequency = np.hypot(np.fft.fftfreq(_SIDE)[:, None], np.fft.fftfreq(_SIDE))
    counts = np.bincount(np.searchsorted(BANDS, frequency.ravel()), minlength=len(CENTRES))
    return np.asarray(counts / counts.sum())
