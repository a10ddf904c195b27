"""`Recipe`: every option of a training, as one YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.options import Options, read_yaml
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.models.card import NAME, ArchitectureSpec, InputSpec, OutputSpec, StoredAs
from napari_bioseg.training.layers import effective
from napari_bioseg.training.recipe_parts import Augmentation, CardText, Member, Pair, Simulated

__all__ = ["Augmentation", "CardText", "Member", "Pair", "Recipe", "Simulated", "read_recipe", "recipe_of"]


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
    keep_statistics: bool = Field(
        False,
        description="Batch normalisation keeps the statistics of the model that it continues from: with few images "
        "those of a batch would be another network than the one that predicts",
    )
    distillation: float | None = Field(
        None,
        ge=0,
        description="With continue_from: weight of the difference from the old model's output where the truth is not "
        "known, against forgetting; none: 0.5 for projects, else 0",
    )
    old_weights: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="With continue_from: share of the old model's weights in the result, against forgetting",
    )
    replay_share: float = Field(0.25, ge=0, lt=1, description="Share of patches from what is marked replay")
    patch: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        description="Patch size along the model's axes, pixels; auto: picked from memory"
    )
    batch: int = Field(4, ge=1, description="Patches at once; auto: picked from memory")
    draw: Literal["images", "planes", "kinds"] = Field(
        "images",
        description="Patches are shared out equally among images, by their number of planes, or, for classification, "
        "equally among kinds but half of all to the last, and in each of them among groups",
    )
    foreground_share: float = Field(0.5, ge=0, le=1, description="Share of patches centred on foreground")
    foreground_draw: Literal["pixels", "classes"] = Field(
        "pixels",
        description="These are centred on any pixel of a class alike, or on each class equally often: rare ones",
    )
    augmentation: Augmentation = Augmentation()
    other_augmentation: Augmentation | None = Field(
        None,
        description="For classification: of the last class, what is none of the others; none: as of the others",
    )
    losses: dict[str, float] = Field(
        default_factory=lambda: {"dice_ce": 1.0}, min_length=1, description="Weight of each loss"
    )
    optimiser: Literal["adamw", "sgd"] = "adamw"
    momentum: float = Field(0.9, ge=0, lt=1, description="Of sgd, after Nesterov")
    learning_rate: float = Field(2e-3, ge=0, description="The highest")
    schedule: Literal["cosine", "warm_restarts", "one_cycle", "plateau", "constant"] = Field(
        "cosine", description="How the learning rate falls"
    )
    cycles: int = Field(3, ge=1, le=16, description="Of warm_restarts: how many, each twice as long as the one before")
    plateau: int = Field(5, ge=1, description="Of plateau: epochs without progress after which it falls to a third")
    weight_decay: float = Field(1e-2, ge=0)
    epochs: int = Field(40, ge=1)
    steps: int = Field(100, ge=1, description="Batches an epoch")
    warm_up: float = Field(
        0.05, ge=0, lt=1, description="Share of the steps over which the learning rate rises; one_cycle has its own"
    )
    averaging: float = Field(0.995, ge=0, lt=1, description="Decay of the moving average of the weights; 0: none")
    precision: Literal["float32", "bfloat16"] = Field("bfloat16", description="Where the device can: mixed precision")
    validate_every: int = Field(5, ge=1, description="Epochs between validations")
    select_on: str = Field("dice", description="Metric that chooses the best epoch, on the val pairs")
    metrics: tuple[str, ...] = Field(("dice",), description="Metrics reported on the test pairs")
    adjust_logits: bool = Field(
        False,
        description="Shift the logits of each of several classes so that `select_on` is best on the val pairs",
    )
    patience: int = Field(0, ge=0, description="Epochs without a better validation after which it stops; 0: never")
    min_epochs: int = Field(0, ge=0, description="Epochs that patience lets pass in any case")
    freeze_encoder: int = Field(
        0, ge=0, description="With continue_from: first epochs in which the encoder stays as that model has it"
    )
    head: Literal["keep", "new"] = Field(
        "keep", description="new: all is taken from continue_from but the last layer, for other classes"
    )
    seed: int = 0
    members: tuple[Member, ...] = Field(
        (),
        description="Instead of architecture, several that are trained one after the other and averaged; each may have "
        "a learning_rate and epochs of its own",
    )
    seeds: tuple[int, ...] = Field((), description="Instead of seed, several: a network for each of them, averaged")
    ensemble: Literal["none", "folds"] = Field(
        "none", description="folds: the networks of the folds are averaged, none is trained on all groups"
    )
    stored_as: StoredAs = Field(
        "float32", description="Kernels in the model's file: float16 is half as large, 3 digits a number"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _with_architecture(cls, values: Any) -> Any:
        members = values.get("members") if isinstance(values, dict) else None
        if not members:
            return values
        first = members[0].model_dump() if isinstance(members[0], Member) else members[0]
        network = {name: first[name] for name in ("name", "arguments") if name in first}
        return {"architecture": network, **values}

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if len(self.patch) != len(self.input.axes):
            raise ValueError(f"patch {self.patch} does not fit the axes {self.input.axes}")
        projects = [p.project for p in self.pairs if p.project]
        if projects and self.folds:
            raise ValueError(f"folds are for image files, {projects[0]} holds out planes of its own: use one of both")
        if self.old_weights and (not self.continue_from or self.head == "new"):
            raise ValueError("old_weights needs continue_from, with its head")
        if "replay" in self.uses:
            if self.task == "classification":
                raise ValueError("replay is not for classification models: mark the images train")
            if not (self.continue_from and self.held_to_old):
                raise ValueError("replay needs continue_from, and distillation above 0")
        unknown = {g for fold in self.folds for g in fold} - {p.group for p in self.pairs}
        if unknown:
            raise ValueError(f"folds name groups that no pair has: {', '.join(sorted(unknown))}")
        return self

    @model_validator(mode="after")
    def _ensemble(self) -> Recipe:
        if self.ensemble == "folds" and not self.folds:
            raise ValueError("ensemble: folds needs folds")
        if len(set(self.seeds)) < len(self.seeds) or any(m in self.members[:i] for i, m in enumerate(self.members)):
            raise ValueError("members and seeds must differ, or the networks are the same: give each but once")
        return self

    @model_validator(mode="after")
    def _adjusted(self) -> Recipe:
        several = self.task == "semantic" and len(self.classes) > 1 and self.output.activation == "sigmoid"
        if self.adjust_logits and not (several and not self.output.cores):
            raise ValueError("adjust_logits is for several classes with sigmoids, without cores")
        if self.adjust_logits and (self.members or self.seeds or self.ensemble != "none"):
            raise ValueError("adjust_logits is for one network, without members, seeds and ensemble")
        if self.adjust_logits and "val" not in self.uses:
            raise ValueError("adjust_logits needs pairs marked val")
        return self

    @model_validator(mode="after")
    def _continued(self) -> Recipe:
        asked = {"freeze_encoder": self.freeze_encoder > 0, "head: new": self.head == "new"}
        if not self.continue_from and any(asked.values()):
            raise ValueError(f"{next(name for name in asked if asked[name])} needs continue_from")
        return self

    @property
    def uses(self) -> set[str]:
        """What pairs and simulated images are used for."""
        return {*(p.use for p in self.pairs), *(s.use for s in self.simulated)}

    @property
    def held_to_old(self) -> float:
        """The weight of `distillation` that counts."""
        if self.distillation is not None:
            return self.distillation
        return 0.5 if self.continue_from and any(p.project for p in self.pairs) else 0.0

    def values_of(self, pair: Pair) -> dict[int, int]:
        """Return which class each value of the labels of a pair is."""
        return self.label_values if pair.label_values is None else pair.label_values

    def without_fold(self, fold: tuple[str, ...]) -> Recipe:
        """Return the recipe that trains on all groups but those of `fold`, which it tests on.

        Where the networks of the folds are the model, they do not see what that is chosen and tested on.
        """
        apart = {"replay", "val", "test"} if self.ensemble == "folds" else {"replay"}
        if self.task == "classification" or self.adjust_logits:
            apart |= {"val"}  # by which each network is calibrated
        pairs = tuple(
            p if p.use in apart else p.model_copy(update={"use": "test" if p.group in fold else "train"})
            for p in self.pairs
            # What all folds test on is scored once, by the network that is kept.
            if self.ensemble == "none" or p.use != "test"
        )
        # What is simulated to test on is scored once, by the network that is kept.
        simulated = tuple(s for s in self.simulated if s.use != "test")
        return self.model_copy(update={"pairs": pairs, "simulated": simulated, "folds": (), "ensemble": "none"})


def read_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe with the layers that it stands on, and apply ``key=value`` overrides; dots reach into options.

    Raises
    ------
    RecipeError
        The file, a layer or an override is wrong.
    ModelNotFoundError, BrokenModelError, DeviceError
        As for `recipe_of`.
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
    return recipe_of(values, str(path), path.parent)


def recipe_of(values: Mapping[str, Any], subject: str = "recipe", folder: Path = Path()) -> Recipe:
    """Return the effective recipe of plain values: with its layers, and without ``auto``.

    Parameters
    ----------
    values : Mapping
        As in a file: may have ``base`` and leave out what the model of ``continue_from`` says (`layers.effective`);
        ``patch`` and ``batch`` may be ``"auto"`` (`sizes.pick_sizes`).
    subject : str
        For messages.
    folder : Path
        What paths of layers are relative to.

    Raises
    ------
    RecipeError
        A value or a layer is wrong.
    ModelNotFoundError, BrokenModelError
        The model to continue from is not there, or is damaged.
    DeviceError
        A size is to be picked for a device that is not here.
    """
    given = effective(values, folder)
    picked = {name: given.get(name) == "auto" for name in ("patch", "batch")}
    if not any(picked.values()):
        return Recipe.checked(given, subject)
    from napari_bioseg.training.sizes import pick_sizes

    # All else must be right before a network can be built.
    spec = given.get("input")
    sides = 3 if isinstance(spec, Mapping) and spec.get("axes") == "ZYX" else 2
    standing_in = {name: value for name, value in {"patch": (1,) * sides, "batch": 1}.items() if picked[name]}
    recipe = Recipe.checked({**given, **standing_in}, subject)
    return recipe.model_copy(update=pick_sizes(recipe, **picked))


def _put(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise RecipeError(".".join(keys), f"{key} holds no options", "Check the names")
    values[keys[-1]] = value
