"""Why an image is unlike those that a model was trained on, and what to do about it, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from napari_bioseg.drift.change import Tried, best_change
from napari_bioseg.drift.distances import OUTPUT, TEXTURE, deviation, largest
from napari_bioseg.drift.figures import Figures
from napari_bioseg.drift.profile import Profile
from napari_bioseg.drift.texture import Explanation, Kind, explanations

Action = Literal["denoise", "invert", "resample", "correct"]

_OF_FILE = ("saturation", "levels")
_GREY = ("kl", "cross_entropy", "psi", "js", "contrast")
_UNLIKE = 3.0  # times the threshold of the features from which nothing that was trained is like it
_NOTABLE = 0.6  # octaves of noise or sharpness that are worth a word: 1.5 times
_BLOWN = 0.05  # share of saturated pixels that comes before all else
_RIGHTED = 0.6  # share of a distance that an exchange of light and dark must leave at most
_OTHERWISE = 2.0  # times a threshold that it may leave: an image can be unlike the training in other ways, too
_NEARER = 0.5  # share of the features' distance that it must leave at most where anything is left
_NEARLY = 1.5  # times what the best cause leaves: another is named beside it
_GREYER = 1.5  # times the ratio of the saturation from which the grey values are told before it
_FEW = 4.0  # bits: of more grey levels the rest is told first, since a blur, too, leaves fewer of a faint image
_CROWDED = 2.0  # times the share that even grey values give the lowest and the highest: more is saturation


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


_BLURRED = Cause("blur", "less fine detail than trained (out of focus, or smoothed): refocus, or correct and fine-tune")


def find_causes(
    figures: Figures, profile: Profile, over: Mapping[str, float], *, tried: Tried, sized: bool, title: str
) -> tuple[Cause, ...]:
    """Return the causes of a warning, the most telling first.

    Parameters
    ----------
    figures : Figures
        Of the image.
    profile : Profile
    over : Mapping
        Distances in units of their thresholds, see `distances.ratios`.
    tried : Tried
    sized : bool
        Whether the image was brought to the model's pixel size: then its pixels are the cause only if nothing else is.
    title : str
        Of the model, for words.

    Returns
    -------
    tuple of Cause
        Empty where no distance exceeds its threshold.
    """
    if max(over.values()) <= 1:
        return ()
    every = explanations(figures, profile)
    change = best_change(every, profile, over, tried, sized=sized)
    strange = _of_kind(profile, over, tried, change, title)
    file, grey = _of_file(figures, profile, over), _of_grey(figures, profile, over)
    texture = (
        _of_amounts(figures, profile, over) if change is None else [_of_change(change, every, figures, profile, sized)]
    )
    texture_first = change is not None or largest(over, TEXTURE) >= largest(over, _GREY)
    seen = [*texture, *grey] if texture_first else [*grey, *texture]
    noisy = change is not None and change.kind == "noise" and tried.scattered
    saturated = [cause.name for cause in file] == ["saturation"]
    if saturated and (noisy or largest(over, _GREY) > _GREYER * over["saturation"]):
        found = [*strange, *seen, *file]  # which noise, or another gamma, pushed over the edge
    elif saturated and figures.saturation >= _BLOWN:
        found = [*file, *strange, *seen]  # what is blown out changes all the rest
    elif not saturated and figures.levels > _FEW:
        found = [*strange, *seen, *file]
    else:
        found = [*strange, *file, *seen]
    return tuple(found) or (Cause("other", _other(over)),)


def _of_kind(
    profile: Profile, over: Mapping[str, float], tried: Tried, change: Explanation | None, title: str
) -> list[Cause]:
    if right_when_inverted(over, tried.inverted):
        return [Cause("inverted", "light and dark are inverted: invert the image", "invert")]
    # What noise, blur or other pixels make of the training images is not foreign.
    foreign = change is None or change.distance > profile.thresholds["spectrum"]
    if over["features"] > _UNLIKE and foreign:
        return [Cause("unlike", f"unlike anything trained: {title} knows no such images; choose another model")]
    return []


def right_when_inverted(over: Mapping[str, float], inverted: Mapping[str, float]) -> bool:
    """Return whether an image's distances, and those with light and dark exchanged, tell that it is inverted.

    Exchanged, it must be like the training; or else hardly unlike it, and half as far for the network at most.
    """
    # What was lost in the file does not come back, and the network is not run to its end on an inverted image.
    seen = [name for name in inverted if name not in (*_OF_FILE, *OUTPUT)]
    now, then = largest(over, seen), largest(inverted, seen)
    nearer = inverted["features"] < over["features"] * (1.0 if then <= 1 else _NEARER)
    return now > 1 and then <= _OTHERWISE and then < _RIGHTED * now and nearer


def _of_file(figures: Figures, profile: Profile, over: Mapping[str, float]) -> list[Cause]:
    causes = []
    # Of few levels, the lowest and the highest hold many pixels anyway.
    crowded = figures.saturation > _CROWDED * 2 / 2**figures.levels
    if over["levels"] > 1 and not crowded:
        words = f"only {2**figures.levels:.0f} grey levels in the file: export it with its full bit depth"
        causes.append(Cause("levels", words))
    elif over["saturation"] > 1:
        now, usual = (f"{100 * share:.2g} %" for share in (figures.saturation, profile.figures["saturation"].mean))
        causes.append(Cause("saturation", f"saturated {now} (trained: {usual}): lower exposure or gain"))
    return causes


def _of_change(
    change: Explanation, every: Mapping[Kind, Explanation], figures: Figures, profile: Profile, sized: bool
) -> Cause:
    if change.kind == "noise":
        return _noisy(figures, profile)
    if change.kind == "blur":
        return _BLURRED
    near = {kind for kind, e in every.items() if e.distance < _NEARLY * change.distance}
    return Cause("pixel size", _of_pixels(change.amount, near, sized), "resample", change.amount)


def _of_amounts(figures: Figures, profile: Profile, over: Mapping[str, float]) -> list[Cause]:
    """Tell noise and blur by their own figures, where the spectrum as a whole is not explained by either."""
    if figures.noise - profile.figures["noise"].mean > _NOTABLE:
        return [_noisy(figures, profile)]
    blurred = figures.sharpness - profile.figures["sharpness"].mean < -_NOTABLE / 2
    smoothed = figures.noise - profile.figures["noise"].mean < -_NOTABLE and over["noise"] > 1
    return [_BLURRED] if smoothed or (blurred and largest(over, TEXTURE) > 1) else []


def _noisy(figures: Figures, profile: Profile) -> Cause:
    octaves = figures.noise - profile.figures["noise"].mean
    amount = f"noise {2**octaves:.2g}x that of the training" if octaves > 0 else "more noise than in the training"
    return Cause("noise", f"{amount}: denoise, or correct and fine-tune", "denoise")


def _of_pixels(amount: float, near: Collection[str], sized: bool) -> str:
    told = f"{amount:.2g}x coarser" if amount > 1 else f"{1 / amount:.2g}x finer"
    if sized:
        return f"pixels look {told} than the file says: check its pixel size, or correct and fine-tune"
    other = "noise" if amount > 1 else "blur"
    words = {"noise": " (or there is more noise)", "blur": " (or out of focus)"}[other] if other in near else ""
    return f"pixels look {told} than trained{words}: set the pixel size, or correct and fine-tune"


def _of_grey(figures: Figures, profile: Profile, over: Mapping[str, float]) -> list[Cause]:
    if largest(over, _GREY) <= 1:
        return []
    way = "another gamma, background or staining"
    if over["contrast"] > 1:
        way = "less contrast" if deviation(figures, profile, "contrast") < 0 else "more contrast"
    return [Cause("grey values", f"grey values spread otherwise than trained ({way}): correct and fine-tune")]


def _other(over: Mapping[str, float]) -> str:
    name = max(over, key=lambda key: over[key])
    told = f"{name.replace('_', ' ')} {over[name]:.2f}x the threshold"
    return f"{told}: look at the result, and correct and fine-tune if it is poor"
