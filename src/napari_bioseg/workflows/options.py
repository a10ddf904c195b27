"""Options of the verbs, loaded without torch: the panel and the command line make their controls from them."""

from __future__ import annotations

from pydantic import Field

from napari_bioseg.core.options import Options
from napari_bioseg.inference.options import NetworkOptions, PredictOptions
from napari_bioseg.postprocess.boxes import BoxOptions
from napari_bioseg.postprocess.options import DecodeOptions


class LookOptions(Options):
    """What is looked at before a model is run."""

    drift: bool = Field(True, description="Tell which images are unlike what the model was trained on, and why")


class SegmentOptions(PredictOptions, DecodeOptions, LookOptions):
    """Options of `segment`: what the panel shows, the command line takes and the result records."""

    model: str = Field(description="Model in the zoo, or its folder")
    region: str | None = Field(None, description="Part of the image, e.g. Z=3 or Y=0:512,X=0:512; none: all of it")


class DetectOptions(PredictOptions, BoxOptions, LookOptions):
    """Options of `detect`: what the panel shows, the command line takes and the result records."""

    model: str = Field("cdv-yolo", description="Model in the zoo, or its folder")
    region: str | None = Field(None, description="Part of the image, e.g. T=3 or Y=0:512,X=0:512; none: all of it")


class DriftOptions(NetworkOptions):
    """Options of `check_drift`."""

    model: str = Field(description="Model in the zoo, or its folder")
    region: str | None = Field(None, description="Part of the image, e.g. Z=3 or Y=0:512,X=0:512; none: all of it")


class TruthOptions(PredictOptions):
    """How files with a known truth are read and what is scored on them; all of `compare`, part of `evaluate`."""

    axes: str | None = Field(None, description="Axes of images and labels, where the files do not say them")
    metrics: tuple[str, ...] = Field((), description="Scores to report; none: those usual for the model's task")
    label_values: dict[int, int] = Field(
        default_factory=dict,
        description="Value in the label files = class, e.g. 255=1; none: anything but 0 is class 1, or as they are",
    )


class CompareOptions(TruthOptions):
    """Options of `compare`; each model decides by the thresholds of its own card."""


class EvaluateOptions(TruthOptions):
    """Options of `evaluate`."""

    model: str = Field(description="Model in the zoo, or its folder")
    categories: tuple[str, ...] = Field((), description="Of labels in a COCO file: which count; none: all")
    threshold: float | None = Field(
        None, ge=0, le=1, description="Probability from which a pixel, or a box, counts; none: the card's"
    )
    separate: float | None = Field(
        None, ge=0, le=1, description="Cores between which lines close gaps, as of segment; none: the card's"
    )
