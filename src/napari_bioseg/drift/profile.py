"""`Profile`: what images a model was trained on, in figures, as its card holds it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from napari_bioseg.core.options import Options

VERSION = 2  # 1: nothing of the output
_DIGITS = 5


def _parse(value: Any) -> Any:
    return tuple(float(v) for v in value.split()) if isinstance(value, str) else value


def _join(values: tuple[float, ...]) -> str:
    return " ".join(f"{v:.{_DIGITS}g}" for v in values)


Numbers = Annotated[tuple[float, ...], BeforeValidator(_parse), PlainSerializer(_join)]
"""Written as one line of text: a card stays readable, and quick to read."""


class Spread(Options):
    """Of one figure over the images of the reference."""

    mean: float
    sd: float = Field(ge=0)


class Profile(Options):
    """What a model was trained on, in figures; see `Figures` for their units."""

    version: int = Field(VERSION, le=VERSION, description="Of this layout")
    images: int = Field(ge=1, description="Images or planes that it was made from")
    groups: int = Field(ge=1, description="Groups that they belong to, each of which was left out once")
    false_alarms: float = Field(description="Share of images of a group left out that the thresholds may warn of")
    histogram: Numbers = Field(description="Share of the normalised grey values in each bin, see drift.EDGES")
    spectrum: Numbers = Field(description="Mean of the spectrum, log2 in each band, see drift.BANDS")
    spectrum_sd: Numbers
    spectrum_covariance: Numbers = Field(
        (), description="Lower triangle of the covariance of its bands in these units; none: they vary on their own"
    )
    features: Numbers = Field(description="Mean of the network's bottleneck features")
    features_sd: Numbers
    features_covariance: Numbers = Field(description="Lower triangle of the covariance of their drift.sketch")
    figures: dict[str, Spread] = Field(description="noise, contrast, snr, sharpness, saturation and levels")
    output: Numbers = Field((), description="Mean of what the network says, see drift.output; none: not known")
    output_sd: Numbers = ()
    thresholds: dict[str, float] = Field(description="Of each distance, above which is warned")
    objects: dict[str, float] = Field(
        default_factory=dict, description="Of the labels: share of the image, number per megapixel, diameter in pixels"
    )
    others: tuple[Profile, ...] = Field((), description="Of other kinds of images that were trained on")
