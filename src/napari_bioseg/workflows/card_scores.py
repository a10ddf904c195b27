"""The scores on a card: of what a recipe tests on, when a model is made and whenever they are asked for again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.models.card import Score
from napari_bioseg.models.model import Model
from napari_bioseg.models.zoo import load_model
from napari_bioseg.tasks import check_metrics
from napari_bioseg.tasks.semantic import can_score
from napari_bioseg.training.recipe import Pair, Recipe
from napari_bioseg.training.training_set import FrozenPair
from napari_bioseg.workflows.box_evaluation import evaluate_boxes
from napari_bioseg.workflows.evaluation import evaluate_image
from napari_bioseg.workflows.kind_scores import score_kinds
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.recipe_data import Truth, recipe_on_card, tested_on
from napari_bioseg.workflows.scores import Row, mean_row

Tested = list[tuple[Pair, Row]]
"""How good a model is on each image that a recipe tests on."""


def evaluate_held_out(options: EvaluateOptions, *, job: Job | None = None) -> list[Row]:
    """Score a model on what the recipe on its card tests on: the figures of its card.

    Parameters
    ----------
    options : EvaluateOptions
        Metrics that it does not name are those of the recipe.
    job : Job, optional

    Returns
    -------
    list of Row
        One an image; of several one more with their mean. Of a model of kinds one for all images, and one a group.

    Raises
    ------
    RecipeError
        The card has no recipe, or this very network was trained on all that its scores are of.
    ModelNotFoundError, BrokenModelError, UnreadableFileError, IncompatibleImageError
        As named.
    """
    model = load_model(options.model)
    recipe = recipe_on_card(model.card)
    if "test" not in recipe.uses:
        problem = "has no images that its weights were not trained on"
        folds = "The scores on its card are of other networks, which its recipe trains first (bioseg train)"
        fix = folds if recipe.folds else "Give images and labels"
        raise RecipeError(model.card.name, problem, fix)
    options = options.model_copy(update={"metrics": options.metrics or recipe.metrics})
    check_metrics(recipe.task, options.metrics)
    if recipe.task == "classification":
        return score_kinds(recipe.model_copy(update={"metrics": options.metrics}), model, job or Job())
    tested = score_tests(recipe, model, options, job or Job())
    rows = [row for _, row in tested]
    return rows if len(rows) == 1 else [*rows, _mean_row(tested)]


def score_tests(recipe: Recipe, model: Model, options: EvaluateOptions, job: Job) -> Tested:
    """Score a model on what a recipe tests on.

    Raises
    ------
    UnreadableFileError, IncompatibleImageError, RecipeError
        A pair is not as it should be.
    """
    return [(pair, _score_one(image, truth, model, options, job)) for pair, image, truth in tested_on(recipe)]


def _score_one(image: Image, truth: Truth, model: Model, options: EvaluateOptions, job: Job) -> Row:
    if isinstance(truth, Boxes):
        return evaluate_boxes(image, truth, model, options, job=job)
    # A part held out that has nothing to score for one metric must not cost the training.
    metrics = tuple(metric for metric in options.metrics if can_score(metric, truth))
    return evaluate_image(image, truth, model, options.model_copy(update={"metrics": metrics}), job=job)


def scores_of(recipe: Recipe, tested: Tested) -> tuple[Score, ...]:
    """Return what a card tells: of several images first the mean, which the list of models shows."""
    found = [_score(metric, pair, row) for pair, row in tested for metric in row.scores]
    if len(tested) < 2:
        return tuple(found)
    how = "each left out by group" if recipe.folds else "none trained on"
    row, counts = _mean_row(tested), Counter(score.metric for score in found)
    means = [_of_row(row, metric, f"mean of {n} images, {how}", n) for metric, n in counts.items()]
    return (*means, *found)


def _mean_row(tested: Tested) -> Row:
    return mean_row([row for _, row in tested], [pair.group for pair, _ in tested])


def _score(metric: str, pair: Pair, row: Row) -> Score:
    where = f"{Path(pair.image).parent} ({pair.group})"
    n = pair.planes[1] - pair.planes[0] if pair.planes else 1
    if isinstance(pair, FrozenPair):
        where, n = f"what is verified and held out ({pair.group})", len(pair.numbers)
    return _of_row(row, metric, where, n)


def _of_row(row: Row, metric: str, where: str, n: int) -> Score:
    low, high = row.intervals.get(metric, (None, None))
    return Score(
        metric=metric, value=row.scores[metric], on=where, n=n, low=low, high=high, baseline=row.oracle.get(metric)
    )
