"""Data of what a model was made for, by which forgetting is measured."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.models.card import Card
from napari_bioseg.simulate import sample
from napari_bioseg.training.open_pairs import data_root
from napari_bioseg.training.recipe import Pair, Recipe
from napari_bioseg.workflows.compared import Case, tested_cases
from napari_bioseg.workflows.demo import SAMPLES
from napari_bioseg.workflows.origin import ancestry
from napari_bioseg.workflows.recipe_data import recipe_on_card

_SEED = 60_060
"""Neither that of the embedded samples nor those of the images that are replayed, see `origin`."""


@dataclass(frozen=True)
class OriginalData:
    """Images with their truth that a model, or the one that it began as, was made for and not trained on.

    Attributes
    ----------
    on : str
        In words.
    cases : tuple of Case
    """

    on: str
    cases: tuple[Case, ...]


def original_data(card: Card, trained: AbstractSet[Path] = frozenset()) -> OriginalData | None:
    """Return what a model was tested on when it was made, as far as it is on this machine, else a simulated image.

    Where there is neither, the model that it was continued from is asked, and so on.

    Parameters
    ----------
    card : Card
        Of the model that a training goes on from.
    trained : set of Path
        Images that this training learns from, resolved: they are no test of it.

    Returns
    -------
    OriginalData or None
        None where nothing is known of what it was made for.
    """
    for ancestor in ancestry(card):
        recipe = _own_tests(ancestor, trained)
        if recipe is not None:
            return OriginalData(f"the test data of {ancestor.name}", tuple(tested_cases(recipe)))
        made_for = {model: name for name, model in SAMPLES.items()}.get(ancestor.name)
        if made_for is not None:
            image = sample(made_for, _SEED)
            truth = (np.asarray(image.labels[0].data) > 0).astype(np.int16)
            return OriginalData(f"simulated {made_for}", (Case(made_for, made_for, image, truth),))
    return None


def _own_tests(card: Card, trained: AbstractSet[Path]) -> Recipe | None:
    """Return a recipe with what the model was tested on and is here; None where that is nothing."""
    try:
        recipe = recipe_on_card(card)
    except RecipeError:  # made by another version
        return None
    pairs = tuple(p for p in recipe.pairs if p.use == "test" and _is_here(recipe, p, trained))
    simulated = tuple(s for s in recipe.simulated if s.use == "test")
    tests = recipe.model_copy(update={"pairs": pairs, "simulated": simulated, "folds": ()})
    return tests if pairs or simulated else None


def _is_here(recipe: Recipe, pair: Pair, trained: AbstractSet[Path]) -> bool:
    """Whether the files of a pair are on this machine, and not trained on."""
    image, truth = (data_root(recipe) / (name or "") for name in (pair.image, pair.label or pair.boxes))
    return image.is_file() and truth.is_file() and image.resolve() not in trained
