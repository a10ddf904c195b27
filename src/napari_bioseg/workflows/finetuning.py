"""From verified corrections to a recipe that goes on from a model: every choice has a default."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.options import Options
from napari_bioseg.corrections.project import ENDING
from napari_bioseg.models.card import Card, read_card
from napari_bioseg.models.zoo import find_model
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.origin import origin_of

RUNS = "runs"
_STEPS = {"quick": 40, "normal": 120, "thorough": 600}
_EPOCH = {"quick": 10, "normal": 15, "thorough": 30}  # steps of one: how often there is something to see
_INHERITED = (
    "patch", "batch", "losses", "draw", "foreground_share", "foreground_draw", "augmentation", "weight_decay",
    "select_on",
)  # fmt: skip
_LEARNING_RATE = {"semantic": 1e-3, "detection": 3e-4}
_AVERAGING = 0.98
_DISTILLATION = 0.5
_WATCHED = {"semantic": "dice", "detection": "f1"}  # after each epoch


class FineTuneOptions(Options):
    """All choices of a fine-tuning; the rest is as the model itself was trained."""

    model: str = Field(description="Model to go on from, by name or folder")
    name: str = Field("", description="Name of the new model; empty: made from the image's and the model's")
    effort: Literal["quick", "normal", "thorough"] = Field(
        "normal", description="How long it learns: 40, 120 or 600 steps"
    )
    corrected_weight: float = Field(
        2.0, ge=1, le=100, description="How much more pixels count that you changed than those you only verified"
    )
    keep: float = Field(
        0.5,
        ge=0,
        le=0.9,
        description="How much is kept of what the model could before: share of its old weights in the new model; it is "
        "also held to its old output where nothing is verified, and on images like those it was made for. 0: neither",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Where it computes")


def fine_tune_recipe(projects: Sequence[Path], options: FineTuneOptions) -> Recipe:
    """Return the recipe that goes on from a model on what is verified in projects.

    Parameters
    ----------
    projects : sequence of Path
        Their folders; a fifth of the verified planes of each is held out for good.
    options : FineTuneOptions

    Returns
    -------
    Recipe
        Network, normalisation, classes, losses and augmentation are those of the model; it names projects and model
        by absolute paths, so that a run means the same when the zoo changes.

    Raises
    ------
    RecipeError
        No project is given, or the model cannot learn from projects.
    ModelNotFoundError, BrokenModelError
        As for `find_model` and `read_card`.
    """
    if not projects:
        raise RecipeError("fine-tuning", "no project is chosen", "Correct and verify a slice first")
    folder = find_model(options.model)
    card = read_card(folder)
    if card.task not in _LEARNING_RATE:
        problem = f"is a {card.task} model, which cannot learn from corrected labels or boxes"
        raise RecipeError(card.name, problem, "Choose a model that segments or detects")
    name = options.name or default_name(projects[0], card)
    inherited = {key: card.recipe[key] for key in _INHERITED if key in card.recipe}
    steps = _EPOCH[options.effort]
    values: dict[str, Any] = {
        "patch": [256, 256] if card.input.axes == "YX" else [16, 128, 128],
        **inherited,
        "name": name,
        "card": _words(card, projects),
        **card.model_dump(mode="json", include={"task", "architecture", "input", "output", "classes"}),
        "continue_from": str(folder.resolve()),
        "pairs": [{"project": str(p.resolve()), "use": "auto"} for p in projects],
        "corrected_weight": options.corrected_weight,
        "distillation": _DISTILLATION if options.keep else 0.0,
        "old_weights": options.keep,
        "learning_rate": _LEARNING_RATE[card.task],
        "averaging": _AVERAGING,
        "epochs": _STEPS[options.effort] // steps,
        "steps": steps,
        "metrics": list(dict.fromkeys((_WATCHED[card.task], *card.recipe.get("metrics", ())))),
        "device": options.device,
    }
    origin = origin_of(card)
    if origin and options.keep:
        # A detector goes on learning from simulated frames, whose truth is known.
        use: Literal["train", "replay"] = "train" if card.task == "detection" else "replay"
        values["simulated"] = [origin.simulated(use).model_dump(mode="json")]
    return Recipe.checked(values, name)


def default_name(project: Path, card: Card) -> str:
    """Return a name for what comes of a model and a project: the model's own where it was fine-tuned before."""
    if "continue_from" in card.recipe and any(p.get("project") for p in card.recipe.get("pairs", ())):
        return card.name
    image = project.name.removesuffix(ENDING).split(".")[0]
    words = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{image}-{card.name}")
    return words.strip("-_") or card.name


def new_run(project: Path, recipe: Recipe) -> Path:
    """Make the folder of a run in a project, ``PROJECT/runs/NAME``, with a number where that is there already.

    Raises
    ------
    UnwritableFileError
        The project cannot be written.
    """
    # Only here: it loads torch, which the panel's form of options can do without.
    from napari_bioseg.workflows.recording import start_training
    from napari_bioseg.workflows.training import new_run_folder

    return start_training(recipe, new_run_folder(project / RUNS / recipe.name)).folder


def list_runs(project: Path) -> tuple[Path, ...]:
    """Return the runs of a project, the newest first."""
    found = (project / RUNS).glob("*/recipe.yaml")
    return tuple(p.parent for p in sorted(found, key=lambda p: p.stat().st_mtime, reverse=True))


def _words(card: Card, projects: Sequence[Path]) -> dict[str, str]:
    images = ", ".join(p.name.removesuffix(ENDING) for p in projects)
    return {
        "title": card.title,
        "summary": card.summary,
        "not_for": card.not_for,
        "kind": card.kind,
        "licence": card.licence,
        "data": f"{card.name}, fine-tuned on what was verified in {images}",
        "split": f"{card.split}; blocks of verified planes of {images} held out",
        "background": card.background,
    }
