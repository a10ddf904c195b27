"""`Card`: everything about a model but its weights, as `card.yaml`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from napari_bioseg.core.errors import BrokenModelError, RecipeError
from napari_bioseg.core.files import file_sha256
from napari_bioseg.core.options import Options, read_yaml
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.models.normalise import Normalisation

CARD_FILE = "card.yaml"
WEIGHTS_FILE, ONNX_FILE = "weights.safetensors", "weights.onnx"
ONNX = "onnx"
"""Name of the architecture that an ONNX file is, network and weights in one."""
StoredAs = Literal["float32", "float16"]

README_FILE = "README.md"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""What a model may be called: what can be a folder anywhere."""


class ArchitectureSpec(Options):
    """Which network, and its arguments."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class InputSpec(Options):
    """What the network takes."""

    axes: Literal["YX", "ZYX"] = Field(description="Axes that the network sees at once")
    channels: int = Field(1, description="Input channels")
    pixel_size: dict[str, float] = Field(
        default_factory=dict, description="µm along each axis that it was trained at; empty: any"
    )
    coarsest: dict[str, float] = Field(
        default_factory=dict,
        description="µm along axes of `pixel_size` up to which it was trained at coarser pixels, too: those in between "
        "are taken as they are, coarser ones brought to this",
    )
    normalisation: Normalisation = Normalisation()

    @model_validator(mode="after")
    def _coarser_than_its_pixels(self) -> InputSpec:
        for axis, size in self.coarsest.items():
            if size < self.pixel_size.get(axis, math.inf):
                raise ValueError(f"coarsest along {axis} must be at least pixel_size there, which must be given")
        return self

    def sizes(self, axes: str) -> str:
        """Return the pixel sizes along axes that have one, as text without units: ``5 x 1-2.5 x 1-2.5``."""
        ranges = [(self.pixel_size[a], self.coarsest.get(a)) for a in axes if a in self.pixel_size]
        return " x ".join(f"{size:.4g}" if most is None else f"{size:.4g}-{most:.4g}" for size, most in ranges)


class OutputSpec(Options):
    """What the network gives."""

    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    threshold: float = Field(0.5, description="Probability from which a pixel counts, found on validation data")
    separate: float = Field(
        0.0, ge=0, le=1, description="Probability of the cores between which lines close gaps; 0: no lines"
    )
    cores: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Probability, in a channel of the network after its classes, of the cores between which lines part "
        "objects where these are numbered; 0: it has no such channel",
    )

    applied: bool = Field(
        False,
        description="Whether the network applies it itself, as an ONNX file may: it gives probabilities",
    )

    @property
    def to_apply(self) -> str:
        """What is still to be done to what the network gives: ``"sigmoid"``, ``"softmax"`` or ``"none"``."""
        return "none" if self.applied else self.activation

    @property
    def decision(self) -> dict[str, Any]:
        """What makes a yes or no of probabilities, by name."""
        return self.model_dump(exclude={"applied"})

    @model_validator(mode="after")
    def _beside_sigmoids(self) -> OutputSpec:
        if self.cores and self.activation != "sigmoid":
            raise ValueError("cores are inside of objects: they need activation sigmoid")
        return self


class Score(Options):
    """One measured figure and what it was measured on."""

    metric: str
    value: float
    on: str = Field(description="Data and groups, none of them trained on")
    n: int = Field(description="How many images or slices")
    low: float | None = Field(None, description="Of the 95 % interval over them; none: they are too few, or one number")
    high: float | None = Field(None, description="Of the same interval")
    baseline: float | None = Field(None, description="The same figure of a simple method, where one is given")


class SampleCheck(Options):
    """What a model must reach on a simulated image, so that a broken one is noticed at once."""

    name: str = Field(description="Which image of napari_bioseg.simulate: of SAMPLES, or vesicles")
    metric: str = Field(description="Of the model's task; of a model of kinds, the kind whose probability counts")
    least: float = Field(description="Score on a crop of it that it must reach; well below what was measured")
    label_values: dict[int, int] = Field(
        default_factory=dict, description="Value in the sample's truth: class, as of a recipe; none: as they are"
    )


class Lineage(Options):
    """Where a version of a model comes from."""

    parent: str = Field("", description="Name of the model that the training went on from, or that this is a copy of")
    parent_version: str = ""
    parent_sha256: str = Field("", description="Of its weights")
    run: str = Field("", description="Name of the folder of the run")
    data_sha256: str = Field("", description="Of the run's training_set.json")
    comparison: dict[str, Any] = Field(default_factory=dict, description="With the parent, on what was held out")

    @property
    def origin(self) -> str:
        """The parent and its version; empty where there is none."""
        return f"{self.parent} {self.parent_version}".strip()


class Card(Options):
    """A model as its folder tells it."""

    name: str = Field(pattern=NAME)
    version: str = "1.0.0"
    title: str
    summary: str = Field(description="One line: what it is for")
    not_for: str = Field("", description="One line: what it is not for")
    kind: str = Field("", description="Kind of image it is for, as image-gate calls it; empty: not known")
    task: str = "semantic"
    architecture: ArchitectureSpec
    input: InputSpec
    output: OutputSpec = OutputSpec()
    classes: tuple[ClassInfo, ...]
    background: str = Field("background", description="What a pixel of no class is")
    licence: str
    data: str = Field(description="What it was trained on")
    split: str = Field(description="What was trained on, chosen on and tested on")
    scores: tuple[Score, ...] = ()
    shifts: tuple[float, ...] = Field(
        (),
        description="What the last layer adds to the logit of each class since the training (`adjust_logits`): without "
        "it they tell how sure the network is; none: nothing",
    )
    stored_as: StoredAs = Field("float32", description="Kernels in the weights file; the network computes in float32")
    sha256: str = Field("", description="Of the weights file")
    recipe: dict[str, Any] = Field(default_factory=dict, description="The effective recipe of the training")
    profile: dict[str, Any] = Field(
        default_factory=dict, description="What it was trained on in figures, see napari_bioseg.drift; empty: not known"
    )
    lineage: Lineage | None = Field(None, description="Of a version; none: made by its recipe alone")
    sample: SampleCheck | None = Field(None, description="What its tests hold it to; every shipped model has one")

    @model_validator(mode="after")
    def _applied_by_a_file(self) -> Card:
        if self.output.applied and self.architecture.name != ONNX:
            raise ValueError("output.applied: only the network of an ONNX file applies its activation itself")
        return self

    @model_validator(mode="after")
    def _a_shift_for_each_class(self) -> Card:
        if self.shifts and len(self.shifts) != len(self.classes):
            raise ValueError(f"shifts are for {len(self.shifts)} classes, there are {len(self.classes)}")
        return self

    @property
    def weights_file(self) -> str:
        """Name of the file with the weights."""
        return ONNX_FILE if self.architecture.name == ONNX else WEIGHTS_FILE

    @property
    def score_line(self) -> str:
        """The measured scores in one line: the first of each metric, which is the mean where there are several.

        Those of single classes of several are left out: they have a mean, too.
        """
        first = {s.metric: s.value for s in reversed(self.scores)}
        single = {c.score_of(metric) for c in self.classes for metric in first}
        metrics = dict.fromkeys(s.metric for s in self.scores if s.metric not in single)
        return ", ".join(f"{metric} {first[metric]:.3f}" for metric in metrics) or "not measured"


def check_weights(folder: Path, card: Card) -> Path:
    """Return the weights file of a model folder.

    Raises
    ------
    BrokenModelError
        It is missing, or is not the one that the card was written for.
    """
    weights, again = folder / card.weights_file, "Copy the model folder again"
    if not weights.is_file():
        raise BrokenModelError(str(weights), "is missing", again)
    if card.sha256 and file_sha256(weights) != card.sha256:
        raise BrokenModelError(str(weights), "its sha256 is not the one in card.yaml", again)
    return weights


def read_card(folder: Path) -> Card:
    """Read the card of a model folder.

    Raises
    ------
    BrokenModelError
        The card is missing or does not say what it must.
    """
    try:
        return Card.checked(read_yaml(folder / CARD_FILE), str(folder / CARD_FILE))
    except RecipeError as error:
        raise BrokenModelError(error.subject, error.problem, error.fix) from error
