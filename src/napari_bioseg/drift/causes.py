"""Why an image is unlike those that a model was trained on, and what to do about it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_bioseg.drift.distances import FLOOR, deviation
from napari_bioseg.drift.figures import Figures
from napari_bioseg.drift.profile import Profile

Floats = npt.NDArray[np.float64]
Action = Literal["denoise", "invert", "resample", "correct"]

_OF_FILE = ("saturation", "levels")
_GREY = ("kl", "cross_entropy", "psi", "js")
_UNLIKE = 3.0  # times the threshold of the features from which nothing that was trained is like it
_NOTABLE = 0.6  # octaves of noise or sharpness that are worth a word: 1.5 times
_BLOWN = 0.05  # share of saturated pixels that comes before all else
_MOST_SHIFTED = 4  # bands of the spectrum: a factor of 4
_EXPLAINED = 0.6  # share of a distance that a cause must leave at most


@dataclass(frozen=True)
class Cause:
    """One way in which an image differs.

    Attributes
    ----------
    name : str
        ``"noise"``, ``"saturation"`` and so on.
    words : str
        What it is, with its amount, and what helps: one line.
    action : str
        What the program can do about it.
    amount : float
        For ``"resample"``: the size of an image's pixel in pixels of the training.
    """

    name: str
    words: str
    action: Action = "correct"
    amount: float = 1.0


def ratios(distances: Mapping[str, float], profile: Profile) -> dict[str, float]:
    """Return each distance in units of its threshold: above 1 is warned of."""
    return {name: value / profile.thresholds[name] for name, value in distances.items()}


def find_causes(
    figures: Figures,
    profile: Profile,
    over: Mapping[str, float],
    *,
    inverted: Mapping[str, float],
    sized: bool,
    title: str,
) -> tuple[Cause, ...]:
    """Return the causes of a warning, the most telling first.

    Parameters
    ----------
    figures : Figures
        Of the image.
    profile : Profile
    over : Mapping
        Distances in units of their thresholds, see `ratios`.
    inverted : Mapping
        The same of the inverted image; of any where none is warned of.
    sized : bool
        Whether the image was brought to the model's pixel size: then its pixels are not the cause.
    title : str
        Of the model, for words.

    Returns
    -------
    tuple of Cause
        Empty where no distance exceeds its threshold.
    """
    if max(over.values()) <= 1:
        return ()
    if over["features"] > 1 >= inverted["features"] and max(inverted.values()) < _EXPLAINED * max(over.values()):
        found = [Cause("inverted", "light and dark are inverted: invert the image", "invert")]
    elif over["features"] > _UNLIKE:
        found = [Cause("unlike", f"unlike anything trained: {title} knows no such images; choose another model")]
    else:
        found = []
    found += (
        _of_file(figures, profile, over) + _of_texture(figures, profile, over, sized) + _of_grey(figures, profile, over)
    )
    # What is blown out changes all the rest.
    found.sort(key=lambda cause: not (cause.name == "saturation" and figures.saturation >= _BLOWN))
    return tuple(found) or (Cause("other", _other(over)),)


def _of_file(figures: Figures, profile: Profile, over: Mapping[str, float]) -> list[Cause]:
    causes = []
    if over["levels"] > 1:
        words = f"only {2**figures.levels:.0f} grey levels in the file: export it with its full bit depth"
        causes.append(Cause("levels", words))
    if over["saturation"] > 1:
        now, usual = (f"{100 * share:.2g} %" for share in (figures.saturation, profile.figures["saturation"].mean))
        causes.append(Cause("saturation", f"saturated {now} (trained: {usual}): lower exposure or gain"))
    return causes


def _of_texture(figures: Figures, profile: Profile, over: Mapping[str, float], sized: bool) -> list[Cause]:
    if max(over[name] for name in ("noise", "snr", "sharpness", "spectrum", "features")) <= 1:
        return []
    noise = figures.noise - profile.figures["noise"].mean
    detail = figures.sharpness - profile.figures["sharpness"].mean
    # Noise raises the same end of the spectrum as coarse pixels, blur lowers it as fine ones: both are named.
    coarser = 1.0 if sized else _coarser(figures, profile)
    if coarser != 1:
        told, beside = f"{1 / coarser:.2g}x finer than trained", " (or out of focus)"
        if coarser > 1:
            told = f"{coarser:.2g}x coarser than trained"
            beside = f" (or noise {2**noise:.2g}x)" if noise > _NOTABLE else ""
        words = f"pixels look {told}{beside}: set the pixel size, or correct and fine-tune"
        return [Cause("pixel size", words, "resample", coarser)]
    if noise > _NOTABLE:
        words = f"noise {2**noise:.2g}x that of the training: denoise, or correct and fine-tune"
        return [Cause("noise", words, "denoise")]
    if detail < -_NOTABLE / 2:
        words = "less fine detail than trained (out of focus, or smoothed): refocus, or correct and fine-tune"
        return [Cause("blur", words)]
    return []


def _coarser(figures: Figures, profile: Profile) -> float:
    """Return by how much coarser pixels would explain the spectrum, which they shift to higher frequencies; 1: none.

    Each band is half an octave, so that a shift by one is a factor of the square root of 2.
    """
    mine_all = _powers(figures.spectrum, figures.contrast)
    theirs_all = _powers(np.array(profile.spectrum), profile.figures["contrast"].mean)
    sd, bands = np.hypot(profile.spectrum_sd, FLOOR["spectrum"]), len(profile.spectrum)

    def distance(shift: int) -> float:
        mine, theirs = (slice(max(0, s), bands + min(0, s)) for s in (shift, -shift))
        return float(np.sqrt(np.mean(((mine_all[mine] - theirs_all[theirs]) / sd[theirs]) ** 2)))

    best = min(range(-_MOST_SHIFTED, _MOST_SHIFTED + 1), key=lambda shift: (distance(shift), abs(shift)))
    return 2 ** (best / 2) if abs(best) > 1 and distance(best) < _EXPLAINED * distance(0) else 1.0


def _powers(spectrum: Floats, contrast: float) -> Floats:
    """Return log2 of the power in each band: together they are the variance."""
    return np.asarray(spectrum - np.log2((2**spectrum).sum()) + 2 * contrast)


def _of_grey(figures: Figures, profile: Profile, over: Mapping[str, float]) -> list[Cause]:
    if max(over[name] for name in (*_GREY, "contrast")) <= 1:
        return []
    way = "another gamma, background or staining"
    if over["contrast"] > 1:
        way = "less contrast" if deviation(figures, profile, "contrast") < 0 else "more contrast"
    return [Cause("grey values", f"grey values spread otherwise than trained ({way}): correct and fine-tune")]


def _other(over: Mapping[str, float]) -> str:
    name = max(over, key=lambda key: over[key])
    told = f"{name.replace('_', ' ')} {over[name]:.2f}x the threshold"
    return f"{told}: look at the result, and correct and fine-tune if it is poor"
