"""The parts of a recipe: pairs, simulated images, augmentation and the words of the card."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from napari_bioseg.core.options import Options
from napari_bioseg.models.card import ArchitectureSpec, SampleCheck


class Pair(Options):
    """One image with its labels, or for detection with its boxes; a project of corrections; or images of a kind."""

    image: str = Field("", description="File, relative to root")
    images: tuple[str, ...] = Field(
        (),
        description="Instead of image, where the kind is all that is learnt: files, relative to root; * is any letters",
    )
    kind: str | None = Field(None, description="In a recipe for classification: name of the class that they are of")
    project: str | None = Field(
        None, description="Instead of image and label, folder of a project, relative to root: what is verified counts"
    )
    prediction: str | None = Field(None, description="Which of the project's; none: the newest that was corrected")
    label: str | None = Field(None, description="Label file of the same shape, or a COCO JSON that names the image")
    categories: tuple[str, ...] = Field((), description="Of a COCO file: which count; none: all")
    boxes: str | None = Field(None, description="Boxes for detection: our CSV, YOLO text or COCO JSON")
    axes: str | None = Field(None, description="Axes, where the files do not say them")
    group: str = Field(
        description="What must stay on one side of a split: animal, volume, well; of a project, its folder by default"
    )
    planes: tuple[int, int] | None = Field(
        None, description="First and last (excluded) plane along Z, or along T where there is no Z"
    )
    label_values: dict[int, int] | None = Field(None, description="Instead of the recipe's, for this pair")
    use: Literal["train", "val", "test", "auto", "replay"] = Field(
        "train",
        description="auto, for a project: train, with a fifth of its verified planes held out to test on; replay: "
        "nothing is learnt from its labels, the model is held to what the old one says of it",
    )

    @model_validator(mode="before")
    @classmethod
    def _grouped(cls, values: Any) -> Any:
        return {"group": values["project"], **values} if isinstance(values, dict) and values.get("project") else values

    @model_validator(mode="after")
    def _one_kind(self) -> Pair:
        if sum(map(bool, (self.image, self.images, self.project))) != 1:
            raise ValueError("give either image, images or project")
        if self.images and not self.kind:
            raise ValueError("images need the kind that all of them are of")
        given = {"label": self.label, "boxes": self.boxes, "kind": self.kind, "axes": self.axes, "planes": self.planes}
        if self.project and any(v is not None for v in given.values()):
            raise ValueError(f"a project has its own {', '.join(given)}: leave them out")
        if self.project and self.use in {"val", "replay"}:
            raise ValueError("a project is used to train, to test, or auto")
        if not self.project and (self.use == "auto" or self.prediction):
            raise ValueError("use: auto and prediction are for projects")
        return self

    @property
    def name(self) -> str:
        """The image, or the project, as the recipe names it."""
        return self.project or self.image or ", ".join(self.images)


class Simulated(Options):
    """Training volumes made by a generator of `simulate`."""

    generator: str
    count: int = Field(ge=1, description="How many volumes")
    arguments: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    kind: str | None = Field(None, description="In a recipe for classification: name of the class that they are of")
    use: Literal["train", "val", "test", "replay"] = "train"
    group: str = "simulated"


class Augmentation(Options):
    """Random changes of a patch; 0 switches one off."""

    flips: bool = Field(True, description="Flips along each axis and right-angle turns in the plane")
    rotation: float = Field(15.0, ge=0, le=180, description="Largest further rotation in the plane, degrees")
    zoom: float = Field(0.15, ge=0, le=10, description="Largest relative change of size (0.5: from 1/1.5 to 1.5 times)")
    elastic: float = Field(4.0, ge=0, le=1000, description="Largest elastic displacement, pixels")
    bent: float = Field(
        1.0, ge=0, le=1, description="Share of the patches that are so rotated, zoomed and displaced; others stay sharp"
    )
    brightness: float = Field(0.1, ge=0, le=10, description="Largest shift of normalised grey values")
    contrast: float = Field(0.3, ge=0, le=10, description="Largest relative change of contrast")
    gamma: float = Field(0.3, ge=0, le=10, description="Largest relative change of gamma")
    blur: float = Field(1.0, ge=0, le=100, description="Largest Gaussian blur in the plane, pixels")
    noise: float = Field(0.08, ge=0, le=10, description="Largest Gaussian noise, in normalised grey values")
    invert: float = Field(0.0, ge=0, le=1, description="Share of the patches in which light and dark are exchanged")
    haze: float = Field(
        0.0, ge=0, le=10, description="Largest smooth light added across the plane, in normalised grey values"
    )
    poisson: float = Field(0.0, ge=0, le=10, description="Largest Poisson noise: variance of one unit of signal")
    renormalise: bool = Field(
        False, description="Whether noise is followed by the normalisation that a whole image so noisy would have"
    )


class Member(ArchitectureSpec):
    """One network of an ensemble, and what its architecture needs that the others do not."""

    learning_rate: float | None = Field(None, ge=0, description="Instead of the recipe's")
    epochs: int | None = Field(None, ge=1, description="Instead of the recipe's")

    @property
    def architecture(self) -> ArchitectureSpec:
        """The network alone."""
        return ArchitectureSpec(name=self.name, arguments=self.arguments)

    @property
    def options(self) -> dict[str, Any]:
        """Options of the recipe that trains this network."""
        own = {"learning_rate": self.learning_rate, "epochs": self.epochs}
        return {"architecture": self.architecture, **{name: value for name, value in own.items() if value is not None}}


class CardText(Options):
    """What the card says in words."""

    title: str
    summary: str
    not_for: str = ""
    licence: str
    data: str
    split: str
    kind: str = ""
    background: str = "background"
    sample: SampleCheck | None = Field(None, description="What the tests of a shipped model hold it to")
