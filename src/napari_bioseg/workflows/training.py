"""`train`: from a recipe to a model folder with a card that says how good it is."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean

from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions
from napari_bioseg.models.card import ArchitectureSpec, Card, Score
from napari_bioseg.models.ensemble import join
from napari_bioseg.models.model import Model, rounded, write_model
from napari_bioseg.models.network import Network
from napari_bioseg.models.zoo import load_model, pinned
from napari_bioseg.runs import Run
from napari_bioseg.tasks import TASKS, Decision
from napari_bioseg.training.check import check_recipe
from napari_bioseg.training.kinds import with_files
from napari_bioseg.training.members import fit_members
from napari_bioseg.training.network_runs import final_run, fold_runs
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.training_set import freeze, frozen, read_manifest
from napari_bioseg.workflows.box_evaluation import best_confidence
from napari_bioseg.workflows.card_scores import Tested, score_tests, scores_of
from napari_bioseg.workflows.confusion_file import write_confusion
from napari_bioseg.workflows.evaluation import probabilities
from napari_bioseg.workflows.kind_scores import Judged, cooled, fit_temperature, judge, kind_scores
from napari_bioseg.workflows.logit_adjustment import adjusted
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.profiling import profile_training
from napari_bioseg.workflows.readme import readme
from napari_bioseg.workflows.recipe_data import load_val
from napari_bioseg.workflows.recording import recorded

_THRESHOLDS = tuple(round(0.1 * i, 1) for i in range(1, 10))


def train(recipe: Recipe, folder: Path, *, job: Job | None = None) -> Path:
    """Train by a recipe, score on what was left out, and write the model.

    With `recipe.folds`, each fold is trained without its groups and scored on them, and then the model itself is
    trained on all of them, or is the mean of the folds' networks; else the scores come from the pairs marked ``test``,
    and from what is held out of projects. Where the training continues from a model, that is scored on the same pixels.
    Told in a fold that it is enough, it begins no further one: the model is the mean of the networks by then.

    Parameters
    ----------
    recipe : Recipe
    folder : Path
        The run; when it holds one already, the training goes on where it stopped.
    job : Job, optional

    Returns
    -------
    Path
        The model's folder, ``folder / recipe.name``.

    Raises
    ------
    RecipeError, UnreadableFileError, IncompatibleImageError
        Something that the recipe names is wrong; told before the training wherever it can be known.
    UnwritableFileError
        The folder cannot be written, the disk is full, or another program trains in the run.
    """
    job = job or Job()
    job.stage("Checking the recipe")
    if recipe.continue_from:
        # A run that is resumed must not go on from, nor be held to, what was promoted meanwhile.
        recipe = recipe.model_copy(update={"continue_from": pinned(recipe.continue_from)})
    make_card(recipe)
    asked, recipe = recipe, frozen(with_files(recipe), folder)
    check_recipe(recipe)
    with recorded(asked, folder, job) as run:
        return _train(asked, _with_notes(freeze(recipe, folder), folder, job), run, job)


def _train(asked: Recipe, recipe: Recipe, run: Run, job: Job) -> Path:
    """Train by a recipe whose projects are frozen in the run; the card tells what was asked for."""
    if recipe.task == "classification":
        return _train_kinds(asked, recipe, run, job)
    folder = run.folder
    rows: Tested = []
    trained: list[tuple[ArchitectureSpec, Network]] = []
    shifts: tuple[float, ...] = ()
    for place, part in fold_runs(recipe, folder):
        if trained and job.finishing:
            break
        trained.append(_fitted(part, place, run, job)[:2])
        rows += _test(part, Model(make_card(part), trained[-1][1]), job)
    if trained and job.finishing:
        job.note(_told_folds(recipe, len(trained)))
    if recipe.ensemble == "none" and trained and job.finishing:
        asked, recipe = _all_learnt(asked), _all_learnt(recipe)
    elif recipe.ensemble == "none":
        *_, shifts = whole = _fitted(recipe, final_run(recipe, folder), run, job)
        trained = [whole[:2]]
    architecture, network = join(trained, recipe.output.activation)
    if not recipe.adjust_logits:
        recipe = _with_best_threshold(recipe, network, job)
    tested = _test(recipe, Model(make_card(recipe), network), job)
    _log(run, [*rows, *tested], [*([None] * len(rows)), *_before(recipe, tested, job)])
    card = make_card(recipe.model_copy(update={"pairs": asked.pairs}), scores_of(recipe, [*rows, *tested]))
    write_confusion(folder, card, [row for _, row in [*rows, *tested]])
    card = card.model_copy(update={"architecture": architecture, "shifts": shifts})
    card = card.model_copy(update={"profile": profile_training(recipe, Model(card, network), job)})
    write_model(folder / recipe.name, card, network, readme(card))
    return folder / recipe.name


def _fitted(recipe: Recipe, place: Path, run: Run, job: Job) -> tuple[ArchitectureSpec, Network, tuple[float, ...]]:
    """Train what is one model in the end, as exact as it will be stored; return by how much its classes are shifted."""
    architecture, network = fit_members(recipe, place, run, job)
    shifts: tuple[float, ...] = ()
    if recipe.adjust_logits:
        model = adjusted(recipe, Model(make_card(recipe), network), job)
        network, shifts = model.network, model.card.shifts
        # A run that is resumed after this has been adjusted already.
        run.keep_metrics(lambda line: line.get("adjusted") != place.name)
        run.log(adjusted=place.name, **{f"shift_{c.value}": s for c, s in zip(recipe.classes, shifts, strict=True)})
    return architecture, rounded(network, recipe.stored_as), shifts


def _told_folds(recipe: Recipe, count: int) -> str:
    made = "the network of the first" if count == 1 else f"the mean of the {count} networks"
    return f"{recipe.name}: stopped after {count} of {len(recipe.folds)} folds: {made}, scored on what was left out"


def _all_learnt(recipe: Recipe) -> Recipe:
    """Return a recipe that tests and chooses by no pair: between them, networks of folds have learnt from all."""
    seen = {"val": "train", "test": "train"}
    pairs = tuple(p.model_copy(update={"use": seen.get(p.use, p.use)}) for p in recipe.pairs)
    return recipe.model_copy(update={"pairs": pairs})


def _train_kinds(asked: Recipe, recipe: Recipe, run: Run, job: Job) -> Path:
    """Train a model of kinds of images; what a fold leaves out is judged by a network of its own."""
    judged: list[Judged] = []
    for place, part in fold_runs(recipe, run.folder):
        _, network = fit_members(part, place, run, job)
        model = _calibrated(part, Model(make_card(part), network), run, job)
        rounded(model.network, recipe.stored_as)
        judged += judge(part, model, "test", job)
    card = make_card(recipe.model_copy(update={"pairs": asked.pairs}))
    architecture, network = fit_members(recipe, final_run(recipe, run.folder), run, job)
    model = _calibrated(recipe, Model(card.model_copy(update={"architecture": architecture}), network), run, job)
    rounded(model.network, recipe.stored_as)
    judged += judge(recipe, model, "test", job)
    card = model.card.model_copy(update={"scores": kind_scores(recipe, judged) if judged else ()})
    write_model(run.folder / recipe.name, card, model.network, readme(card))
    return run.folder / recipe.name


def _calibrated(recipe: Recipe, model: Model, run: Run, job: Job) -> Model:
    """Return a model whose probabilities are true on average on the val images, if there are any."""
    val = judge(recipe, model, "val", job)
    if not val:
        return model
    temperature = fit_temperature(val)
    run.log(temperature=temperature)
    return replace(model, network=cooled(model.network, temperature))


def _with_notes(recipe: Recipe, folder: Path, job: Job) -> Recipe:
    """Tell the user what is held out of projects, and have the card say it."""
    notes = [str(entry["note"]) for entry in read_manifest(folder)]
    for note in notes:
        job.note(note)
    card = recipe.card.model_copy(update={"split": "; ".join([recipe.card.split, *notes])})
    return recipe.model_copy(update={"card": card})


def _before(recipe: Recipe, tested: Tested, job: Job) -> list[dict[str, float] | None]:
    """Return the scores of the model to continue from, for each that was tested; None without such a model."""
    if not recipe.continue_from or not tested:
        return [None] * len(tested)
    before = [row.scores for _, row in _test(recipe, load_model(recipe.continue_from), job)]
    for (pair, row), scores in zip(tested, before, strict=True):
        told = ", ".join(
            f"{name} {scores[name]:.3f} before, {value:.3f} now"
            for name, value in row.scores.items()
            if name in scores  # of classes that it told, too
        )
        job.note(f"{pair.name}: {told}")
    return list(before)


def _log(run: Run, rows: Tested, before: list[dict[str, float] | None]) -> None:
    # A run that is resumed after this has been scored already.
    run.keep_metrics(lambda line: "test" not in line)
    for (pair, row), scores in zip(rows, before, strict=True):
        run.log(test=pair.name, group=pair.group, **asdict(row), before=scores)


def new_run_folder(wanted: Path) -> Path:
    """Return `wanted`, or with a number after it when a run is there already."""
    folder, number = wanted, 1
    while (folder / "recipe.yaml").exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def make_card(recipe: Recipe, scores: tuple[Score, ...] = ()) -> Card:
    """Return the card of a model made by `recipe`."""
    return Card(
        name=recipe.name,
        **recipe.card.model_dump(),
        task=recipe.task,
        architecture=recipe.architecture,
        input=recipe.input,
        output=recipe.output,
        classes=recipe.classes,
        stored_as=recipe.stored_as,
        scores=scores,
        recipe=recipe.model_dump(mode="json", exclude={"card", "name"}),
    )


def _test(recipe: Recipe, model: Model, job: Job) -> Tested:
    options = EvaluateOptions(model=recipe.name, metrics=recipe.metrics, backend="torch")
    return score_tests(recipe, model, options, job)


def _with_best_threshold(recipe: Recipe, network: Network, job: Job) -> Recipe:
    """Choose the threshold on the val pairs, if there are any; never on what is reported."""
    val = load_val(recipe)
    if not val:
        return recipe
    model, task = Model(make_card(recipe), network), TASKS.get(recipe.task)
    if recipe.task == "detection":
        options = EvaluateOptions(model=recipe.name, backend="torch")
        best = best_confidence(val, model, options, _THRESHOLDS, job=job)
        return _with_threshold(recipe, best)
    maps = [probabilities(image, model, PredictOptions(backend="torch"), job=job) for image, _ in val]

    def score(threshold: float) -> float:
        decision = Decision(**{**recipe.output.decision, "threshold": threshold})
        return mean(task.score(recipe.select_on, p, target, decision) for p, (_, target) in zip(maps, val, strict=True))

    return _with_threshold(recipe, max(_THRESHOLDS, key=score))


def _with_threshold(recipe: Recipe, threshold: float) -> Recipe:
    return recipe.model_copy(update={"output": recipe.output.model_copy(update={"threshold": threshold})})
