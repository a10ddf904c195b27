"""The network of a fold as a model: what it was not trained on, the shipped one of that name may have seen."""

from __future__ import annotations

from pathlib import Path

from napari_bioseg.core.job import Job
from napari_bioseg.models.model import Model
from napari_bioseg.training.loop import chosen_network
from napari_bioseg.training.recipe import Recipe, read_recipe
from napari_bioseg.workflows.logit_adjustment import adjusted
from napari_bioseg.workflows.training import make_card


def fold(run: Path, number: int) -> tuple[Recipe, Model]:
    """Return the recipe of a fold of a run, counted from 1, with what it leaves out as test pairs, and its network."""
    recipe = read_recipe(run / "recipe.yaml")
    recipe = recipe.without_fold(recipe.folds[number - 1])
    model = Model(make_card(recipe), chosen_network(recipe, run / f"fold-{number}", None))
    return recipe, adjusted(recipe, model, Job()) if recipe.adjust_logits else model
