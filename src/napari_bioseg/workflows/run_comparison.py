"""`compare_run`: what a fine-tuning has brought, on what it held out, and what it has cost elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions
from napari_bioseg.models.card import CARD_FILE
from napari_bioseg.runs import Run, find_run
from napari_bioseg.tasks import default_metrics
from napari_bioseg.tasks.semantic import RANKED
from napari_bioseg.training.open_pairs import data_root
from napari_bioseg.training.recipe import Recipe, read_recipe
from napari_bioseg.training.training_set import FrozenPair, frozen
from napari_bioseg.workflows.compared import Models, tested_cases
from napari_bioseg.workflows.comparison import compare_case, compare_cases, load_pair
from napari_bioseg.workflows.comparison_result import FILE, Comparison, Original
from napari_bioseg.workflows.comparison_words import differences_of, original_words
from napari_bioseg.workflows.original_data import original_data

_OPTIONS = PredictOptions(backend="torch")  # as the training scores what it holds out
_UNKNOWN = "forgetting is not measured: no data of the original task is on this machine"


def compare_run(run: Path, *, job: Job | None = None) -> Comparison:
    """Compare the model of a training with the one that it went on from, and write that as ``RUN/comparison.json``.

    Compared are the planes that are held out of projects and the test pairs of the recipe; units are planes, as for
    `compare`. Forgetting is measured on `original_data` of the old model.

    Parameters
    ----------
    run : Path
        Folder of a training with `continue_from` that has come to its end.
    job : Job, optional
        For progress and for stopping.

    Raises
    ------
    RecipeError
        The training went on from no model or has none yet, or it finds other classes than the old one.
    UnreadableFileError, IncompatibleImageError
        The folder is no run, or what it held out is gone.
    ModelNotFoundError, BrokenModelError, UnwritableFileError, DeviceError, Cancelled
        As named.
    """
    job = job or Job()
    recipe, models = _opened(run)
    original = _original(recipe, models, _OPTIONS, job)
    found = compare_cases(models, tested_cases(recipe), recipe.metrics, _OPTIONS, job=job, original=original)
    found.write(run / FILE)
    _log(Run(run), found)
    return found


def look_again(run: Path, found: Comparison, *, job: Job | None = None) -> Comparison:
    """Return a comparison that was read from disk with its planes: both models look at them once more.

    Its scores and its verdict stay as they are, and nothing is written; errors as of `compare_run`.
    """
    recipe, models = _opened(run)
    job = job or Job()
    parts = [compare_case(case, models, _OPTIONS, recipe.metrics, job=job) for case in tested_cases(recipe)]
    return replace(found, planes=tuple(plane for part in parts for plane in part.planes))


def _opened(run: Path) -> tuple[Recipe, Models]:
    """Return the recipe of a run with what it has frozen, and the models that are compared."""
    recipe = read_recipe(find_run(run).folder / "recipe.yaml")
    if not recipe.continue_from:
        raise RecipeError(str(run), "went on from no model", "Name two: bioseg compare --old A --new B")
    if not (run / recipe.name / CARD_FILE).is_file():
        raise RecipeError(str(run), "has no model yet", "Let the training come to its end first")
    models = load_pair(recipe.continue_from, run / recipe.name)
    recipe = frozen(recipe, run)
    # Of the metrics of the training, those that can be told of labels.
    told = tuple(m for m in recipe.metrics if m not in RANKED) or default_metrics(recipe.task)
    return recipe.model_copy(update={"metrics": told}), models


def _log(run: Run, found: Comparison) -> None:
    """Put the means into the metrics of the run, in place of those of a comparison before."""
    run.keep_metrics(lambda line: "comparison" not in line)
    means = {m: {"old": d.old, "new": d.new, "difference": d.mean} for m, d in found.differences.items() if d.n}
    run.log(comparison=means)


def _original(recipe: Recipe, models: Models, options: PredictOptions, job: Job) -> Original:
    """Measure what the new model can still do of what the old one was made for."""
    data = original_data(models.old.card, _trained(recipe))
    if data is None:
        return Original("", _UNKNOWN)
    parts = [compare_case(case, models, options, recipe.metrics, job=job) for case in data.cases]
    rows = tuple(row for part in parts for row in part.rows)
    differences = differences_of(rows, recipe.metrics)
    words = original_words(rows, differences[recipe.metrics[0]], recipe.task, data.on)
    return Original(data.on, words, rows, differences)


def _trained(recipe: Recipe) -> set[Path]:
    """Return the images that a training learns from."""
    pairs = [pair for pair in recipe.pairs if pair.use != "test"]
    named = {(data_root(recipe) / pair.image).resolve() for pair in pairs if pair.image}
    return named | {Path(pair.reference.absolute).resolve() for pair in pairs if isinstance(pair, FrozenPair)}
