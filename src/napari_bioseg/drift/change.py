"""Which one change of the training images explains an image: what its spectrum tells, and what was tried on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import hypot

from napari_bioseg.drift.distances import OUTPUT, TEXTURE, largest
from napari_bioseg.drift.figures import Figures
from napari_bioseg.drift.profile import Profile
from napari_bioseg.drift.texture import Explanation, Kind, explanations, sizes_to_try

_EXPLAINED = 0.6  # share of a distance that a cause must leave at most
_SURE = 0.7  # share of what one change of a spectrum leaves that another must leave at most to be clearly better
_HELPED = 0.7  # share of what the network finds unusual that pixels of another size must leave at most
_USUAL = 2.0  # standard deviations of a spectrum that needs no explanation, however wide a threshold is


@dataclass(frozen=True)
class Tried:
    """What became of some windows of an image when a change was undone, in units of the thresholds.

    Attributes
    ----------
    inverted : Mapping
        With light and dark exchanged; of the image as it is where that cannot be the cause.
    sizes : Mapping
        Resampled as if the image's pixels had each size, in pixels of the training: how `unusual` they are; infinitely
        where they cannot be the cause, and empty where it was not tried.
    scattered : bool
        Whether the saturated pixels are single ones, as noise makes them.
    """

    inverted: Mapping[str, float]
    sizes: Mapping[float, float] = field(default_factory=dict)
    scattered: bool = False


def sizes_worth_trying(figures: Figures, profile: Profile, over: Mapping[str, float]) -> tuple[float, ...]:
    """Return sizes of pixels that may be the cause, as `Tried.sizes` has them; none where only grey values are unusual.

    Nor are there any where noise or blur explains the spectrum clearly better, nor without what a network finds: its
    features alone change as much when noise is resampled.
    """
    if not set(OUTPUT) <= set(over) or largest(over, (*TEXTURE, *OUTPUT)) <= 1:
        return ()
    every = explanations(figures, profile)
    other = min(every["noise"].distance, every["blur"].distance)
    return sizes_to_try(every) if other > _SURE * every["pixel size"].distance else ()


def best_change(
    every: Mapping[Kind, Explanation], profile: Profile, over: Mapping[str, float], tried: Tried, *, sized: bool
) -> Explanation | None:
    """Return the change that makes the training images like this one; None where none does, or none is needed.

    A blur looks much like finer pixels in a spectrum, but only pixels of the right size give the network back what it
    knows: where sizes were tried, none of them is told by the spectrum alone.
    """
    left = {kind: e.distance for kind, e in every.items()}
    other = min(left["noise"], left["blur"])
    if tried.sizes:
        size = min(tried.sizes, key=lambda size: tried.sizes[size])
        pixels = left.pop("pixel size")
        if may_help(tried.sizes[size], over):
            return Explanation("pixel size", size, pixels)
    best = min(left, key=lambda kind: left[kind])
    if best == "pixel size" and sized and left[best] > _SURE * other:
        best = min(("none", "noise", "blur"), key=lambda kind: left[kind])
    usual = left["none"] < min(_EXPLAINED * profile.thresholds["spectrum"], _USUAL)
    return None if usual or best == "none" or left[best] > _EXPLAINED * left["none"] else every[best]


def unusual(over: Mapping[str, float]) -> float:
    """Return how unusual an image is to the network, by its features and by what it finds."""
    return hypot(over["features"], largest(over, OUTPUT))


def may_help(least: float, over: Mapping[str, float], others: Iterable[float] = ()) -> bool:
    """Return whether a size of pixels may be the cause, at which an image is `unusual` by so much at least.

    At sizes that were tried before it is so by `others`.
    """
    return least < min((_HELPED * unusual(over), *others))
