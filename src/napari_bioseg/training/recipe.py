"""`Recipe`: every option of a training, as one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.options import Options, read_yaml
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.models.card import NAME, ArchitectureSpec, InputSpec, OutputSpec


class Pair(Options):
    """One image with its labels, or in a recipe for detection with its boxes; or a project of corrections."""

    image: str = Field("", description="File, relative to root")
    project: str | None = Field(
        None, description="Instead of image and label, folder of a project, relative to root: what is verified counts"
    )
    prediction: str | None = Field(None, description="Which of the project's; none: the newest that was corrected")
    label: str | None = Field(None, description="Label file of the same shape")
    boxes: str | None = Field(None, description="Boxes for detection: our CSV, YOLO text or COCO JSON")
    axes: str | None = Field(None, description="Axes, where the files do not say them")
    group: str = Field(
        description="What must stay on one side of a split: animal, volume, well; of a project, its folder by default"
    )
    planes: tuple[int, int] | None = Field(
        None, description="First and last (excluded) plane along Z, or along T where there is no Z"
    )
    label_values: dict[int, int] | None = Field(None, description="Instead of the recipe's, for this pair")
    use: Literal["train", "val", "test", "auto"] = Field(
        "train", description="auto, for a project: train, with a fifth of its verified planes held out to test on"
    )

    @model_validator(mode="before")
    @classmethod
    def _grouped(cls, values: Any) -> Any:
        return {"group": values["project"], **values} if isinstance(values, dict) and values.get("project") else values

    @model_validator(mode="after")
    def _one_kind(self) -> Pair:
        if bool(self.image) == bool(self.project):
            raise ValueError("give either image or project")
        given = {"label": self.label, "boxes": self.boxes, "axes": self.axes, "planes": self.planes}
        if self.project and any(v is not None for v in given.values()):
            raise ValueError(f"a project has its own {', '.join(given)}: leave them out")
        if self.project and self.use == "val":
            raise ValueError("a project is used to train, to test, or auto")
        if not self.project and (self.use == "auto" or self.prediction):
            raise ValueError("use: auto and prediction are for projects")
        return self

    @property
    def name(self) -> str:
        """The image, or the project, as the recipe names it."""
        return self.project or self.image


class Simulated(Options):
    """Training volumes made by a generator of `simulate`."""

    generator: str
    count: int = Field(ge=1, description="How many volumes")
    arguments: dict[str, Any] = Field(default_factory=dict)
    seed: int = 0
    use: Literal["train", "val", "test"] = "train"
    group: str = "simulated"


class Augmentation(Options):
    """Random changes of a patch; 0 switches one off."""

    flips: bool = Field(True, description="Flips along each axis and right-angle turns in the plane")
    rotation: float = Field(15.0, ge=0, le=180, description="Largest further rotation in the plane, degrees")
    zoom: float = Field(0.15, ge=0, le=10, description="Largest relative change of size (0.5: from 1/1.5 to 1.5 times)")
    elastic: float = Field(4.0, ge=0, le=1000, description="Largest elastic displacement, pixels")
    brightness: float = Field(0.1, ge=0, le=10, description="Largest shift of normalised grey values")
    contrast: float = Field(0.3, ge=0, le=10, description="Largest relative change of contrast")
    gamma: float = Field(0.3, ge=0, le=10, description="Largest relative change of gamma")
    blur: float = Field(1.0, ge=0, le=100, description="Largest Gaussian blur in the plane, pixels")
    noise: float = Field(0.08, ge=0, le=10, description="Largest Gaussian noise, in normalised grey values")
    haze: float = Field(
        0.0, ge=0, le=10, description="Largest smooth light added across the plane, in normalised grey values"
    )
    poisson: float = Field(0.0, ge=0, le=10, description="Largest Poisson noise: variance of one unit of signal")


class CardText(Options):
    """What the card says in words."""

    title: str
    summary: str
    not_for: str = ""
    licence: str
    data: str
    split: str
    background: str = "background"


class Recipe(Options):
    """All options of one training."""

    name: str = Field(pattern=NAME, description="Name of the model")
    card: CardText
    task: str = "semantic"
    architecture: ArchitectureSpec
    continue_from: str | None = Field(None, description="Model to begin with, by name or folder; none: random weights")
    input: InputSpec
    output: OutputSpec = OutputSpec()
    classes: tuple[ClassInfo, ...] = Field(min_length=1)
    root: str = Field("../shared/data", description="Folder of the data; BIOSEG_DATA overrides the default")
    pairs: tuple[Pair, ...] = ()
    label_values: dict[int, int] = Field(
        default_factory=dict,
        description="Value in the label files: class (0 background, -1 ignored); empty: as they are, "
        "and anything above 0 is class 1 where there is one class",
    )
    simulated: tuple[Simulated, ...] = ()
    simulated_share: float = Field(0.3, ge=0, le=1, description="Share of patches that come from simulated volumes")
    folds: tuple[tuple[str, ...], ...] = Field((), description="Groups left out together in cross-validation")
    corrected_weight: float = Field(
        1.0, ge=1, le=1000, description="How much more pixels count that a person changed, in projects"
    )
    patch: tuple[Annotated[int, Field(ge=1)], ...] = Field(description="Patch size along the model's axes, pixels")
    batch: int = Field(4, ge=1)
    draw: Literal["images", "planes"] = Field(
        "images", description="Patches are shared out equally among images, or by their number of planes"
    )
    foreground_share: float = Field(0.5, ge=0, le=1, description="Share of patches centred on foreground")
    augmentation: Augmentation = Augmentation()
    losses: dict[str, float] = Field(
        default_factory=lambda: {"dice_ce": 1.0}, min_length=1, description="Weight of each loss"
    )
    learning_rate: float = Field(2e-3, ge=0)
    weight_decay: float = Field(1e-2, ge=0)
    epochs: int = Field(40, ge=1)
    steps: int = Field(100, ge=1, description="Batches an epoch")
    warm_up: float = Field(0.05, ge=0, lt=1, description="Share of the steps over which the learning rate rises")
    averaging: float = Field(0.995, ge=0, lt=1, description="Decay of the moving average of the weights; 0: none")
    precision: Literal["float32", "bfloat16"] = Field("bfloat16", description="Where the device can: mixed precision")
    validate_every: int = Field(5, ge=1, description="Epochs between validations")
    select_on: str = Field("dice", description="Metric that chooses the best epoch, on the val pairs")
    metrics: tuple[str, ...] = Field(("dice",), description="Metrics reported on the test pairs")
    patience: int = Field(0, ge=0, description="Epochs without a better validation after which it stops; 0: never")
    seed: int = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if len(self.patch) != len(self.input.axes):
            raise ValueError(f"patch {self.patch} does not fit the axes {self.input.axes}")
        projects = [p.project for p in self.pairs if p.project]
        if projects and self.task != "semantic":
            raise ValueError(f"{self.task} models do not learn from projects: {projects[0]}")
        if projects and self.folds:
            raise ValueError(f"folds are for image files, {projects[0]} holds out planes of its own: use one of both")
        unknown = {g for fold in self.folds for g in fold} - {p.group for p in self.pairs}
        if unknown:
            raise ValueError(f"folds name groups that no pair has: {', '.join(sorted(unknown))}")
        return self

    def values_of(self, pair: Pair) -> dict[int, int]:
        """Return which class each value of the labels of a pair is."""
        return self.label_values if pair.label_values is None else pair.label_values

    def without_fold(self, fold: tuple[str, ...]) -> Recipe:
        """Return the recipe that trains on all groups but those of `fold`, which it tests on."""
        pairs = tuple(p.model_copy(update={"use": "test" if p.group in fold else "train"}) for p in self.pairs)
        # What is simulated to test on is scored once, by the network that is kept.
        simulated = tuple(s for s in self.simulated if s.use != "test")
        return self.model_copy(update={"pairs": pairs, "simulated": simulated, "folds": ()})


def read_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe and apply ``key=value`` overrides; dots reach into nested options.

    Raises
    ------
    RecipeError
        The file or an override is wrong.
    """
    values = read_yaml(path)
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise RecipeError(text, "is no override", "Write key=value, e.g. epochs=5")
        try:
            _put(values, key.split("."), yaml.safe_load(value))
        except yaml.YAMLError as error:
            problem = f"its value is not valid YAML ({str(error).splitlines()[0]})"
            raise RecipeError(text, problem, "Close what is open") from error
    return Recipe.checked(values, str(path))


def _put(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise RecipeError(".".join(keys), f"{key} holds no options", "Check the names")
    values[keys[-1]] = value
