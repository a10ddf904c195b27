"""Which change of a model's training images explains the spectrum of an image best: noise, blur, or other pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

_FIXED: tuple[Kind, ...] = ("none", "noise", "blur")  # all bands are told by all of them

_NOISE: Floats = 2.0 ** np.arange(-6, 8.5, 0.5)  # power of white noise in units of the image's own
_BLUR: Floats = np.arange(0.4, 6.1, 0.2)  # standard deviation of a Gaussian, pixels
_OCTAVES: Floats = np.array([o for o in np.arange(-20, 21) / 10 if abs(o) > 0.3])  # of the size of pixels
_OVERLAP = 6  # bands that must be left to compare when a spectrum is shifted
_ROUNDING = (0.0, 1.0, 2.0)  # times what is expected of rounding to the grey levels of the file
_RANGE = 1.5  # of a file, normalised: the percentiles 1 and 99 lie 1 apart
_LEAST = 1e-8  # of the power
_FINE = 16  # parts of an octave: within a band a blur is far from even
_TRIED = (2**-0.5, 1.0, 2**0.5)  # times the size that the spectrum tells, which sizes are tried
_SIDE = 256  # pixels of the window in which the modes of a band are counted


@dataclass(frozen=True)
class Explanation:
    """A change of the training images.

    Attributes
    ----------
    kind : str
        ``"none"`` leaves them as they are.
    amount : float
        For ``"pixel size"`` the size of the image's pixels in pixels of the training, for ``"blur"`` the standard
        deviation of a Gaussian in pixels, for ``"noise"`` its power in units of the image's own; for ``"none"`` 0.
    distance : float
        What is left unexplained: standard deviations, root mean square over the bands.
    """

    kind: Kind
    amount: float
    distance: float


def explanations(figures: Figures, profile: Profile) -> dict[Kind, Explanation]:
    """Return the best change of each kind.

    The mean spectrum of the reference is changed as noise, blur or another size of pixels would change it, and compared
    by the covariance of the reference, since training images vary in the same ways. The contrast is left free. A
    blurred image is rounded to the grey levels of its file: its finest bands hold nothing else.
    """
    found = {kind: min(_of(kind, figures, profile), key=lambda e: e.distance) for kind in _FIXED}
    coarser = figures.sharpness > profile.figures["sharpness"].mean
    shifted = [e for e in _shifted(figures.spectrum, profile) if (e.amount > 1) == coarser]
    # Of explanations that are about as good, the least change.
    return {**found, "pixel size": min(shifted, key=lambda e: e.distance + 0.1 * abs(np.log2(e.amount)))}


def sizes_to_try(explained: Mapping[Kind, Explanation]) -> tuple[float, ...]:
    """Return sizes of an image's pixels, in pixels of the training, around that which the spectrum tells."""
    told = explained["pixel size"].amount
    sizes = [told * factor for factor in _TRIED]
    return tuple(size for size in sizes if _OCTAVES[0] <= np.log2(size) <= _OCTAVES[-1] and (size > 1) == (told > 1))


def _of(kind: Kind, figures: Figures, profile: Profile) -> Iterator[Explanation]:
    power = 2 ** np.array(profile.spectrum)
    power /= power.sum()
    covariance, every = _covariance(profile), np.arange(len(power))
    for amount, changed in _changed(kind, power, _rounding(figures)):
        yield Explanation(kind, amount, _distance(figures.spectrum - np.log2(changed), covariance, every))


def _rounding(figures: Figures) -> float:
    """Return the power of rounding in units of the image's own: white, a twelfth of a squared level (Bennett 1948)."""
    return float((_RANGE / 2**figures.levels) ** 2 / 12 / 4**figures.contrast)


def _changed(kind: Kind, power: Floats, rounding: float) -> Iterator[tuple[float, Floats]]:
    white = _white()
    if kind == "none":
        yield 0.0, power
    elif kind == "noise":
        yield from ((float(share), power + share * white) for share in _NOISE)
    else:
        for sigma in _BLUR:
            blurred = _blurred(power, sigma)
            yield from (
                (float(sigma), blurred / blurred.sum() + (_LEAST + times * rounding) * white) for times in _ROUNDING
            )


def _blurred(power: Floats, sigma: float) -> Floats:
    """Return what a Gaussian leaves of the power in each band, within which the density is interpolated."""
    octave, band, count = _modes()
    density = count * 2 ** np.interp(octave, CENTRES, np.log2(power / _white()))
    passed = density * np.exp(-((2 * np.pi * sigma * 2**octave) ** 2))
    return np.asarray(power * np.bincount(band, passed) / np.bincount(band, density))


def _shifted(spectrum: Floats, profile: Profile) -> Iterator[Explanation]:
    """Yield what coarser or finer pixels leave unexplained: they shift a spectrum along its logarithmic bands."""
    covariance = _covariance(profile)
    for octaves in _OCTAVES:
        # Finer pixels than the training's have no power beyond what those told of. The first band is open: what varies
        # over a whole window is in it, whatever the pixels.
        places, last = CENTRES - octaves, CENTRES[-2] + min(octaves, 0.0)
        told = np.flatnonzero((np.minimum(places, CENTRES) >= CENTRES[1]) & (places <= CENTRES[-2]) & (last >= CENTRES))
        if len(told) < _OVERLAP:
            continue
        from_band = np.clip(np.arange(len(CENTRES)) - round(2 * octaves), 0, len(CENTRES) - 1)
        moved = covariance[np.ix_(from_band, from_band)]
        expected = np.interp(places, CENTRES, profile.spectrum)
        left = _distance(spectrum - expected, moved, told)
        yield Explanation("pixel size", float(2**octaves), left)


def _covariance(profile: Profile) -> Floats:
    sd = np.hypot(profile.spectrum_sd, FLOOR["spectrum"])
    together = filled(profile.spectrum_covariance) if profile.spectrum_covariance else np.eye(len(sd))
    # A change is known no better than the least spread: so is the reference once it is changed.
    return np.asarray(together * np.outer(sd, sd) + FLOOR["spectrum"] ** 2 * np.eye(len(sd)))


def _distance(left: Floats, covariance: Floats, told: npt.NDArray[np.intp]) -> float:
    """Return the Mahalanobis distance of some bands from any constant, root mean square."""
    inverse, values = np.linalg.inv(covariance[np.ix_(told, told)]), left[told]
    gain = inverse.sum(0) @ values / inverse.sum()
    off = values - gain
    return float(np.sqrt(off @ inverse @ off / len(told)))


@cache
def _white() -> Floats:
    """Return the share of white noise in each band, which is that of its modes."""
    _, band, count = _modes()
    return np.asarray(np.bincount(band, count) / count.sum())


@cache
def _modes() -> tuple[Floats, npt.NDArray[np.intp], Floats]:
    """Return the modes of a window in fine parts of the bands: mean frequency (log2), band, and how many each has."""
    frequency = np.hypot(np.fft.fftfreq(_SIDE)[:, None], np.fft.fftfreq(_SIDE)).ravel()[1:]
    _, part, count = np.unique(np.floor(_FINE * np.log2(frequency)), return_inverse=True, return_counts=True)
    mean = np.bincount(part, frequency) / count
    return np.log2(mean), np.searchsorted(BANDS, mean), count.astype(np.float64)
