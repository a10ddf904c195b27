"""How well a model tells kinds of images: calibrated on the val images, then scored on those held out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.inference.windows import Encoder
from napari_bioseg.models.card import Score
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.tasks.classification import ALONE, SCORES
from napari_bioseg.training.kinds import kind_of, open_kind, with_files
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.identification import kind_logits, kind_probabilities
from napari_bioseg.workflows.recipe_data import simulated_images
from napari_bioseg.workflows.scores import Row

_PLANES = 8  # of a stack that are looked at, each as an image of its own: harder than the stack
# From 1 on: where all val images are told right, as is usual of a few, likelihood would sharpen without end, and say
# nothing of images that are like none of these.
_TEMPERATURES = np.geomspace(1, 8, 61)
_DRAWS = 1000


@dataclass(frozen=True)
class Judged:
    """What a model says of a file.

    Attributes
    ----------
    name, group : str
    kind : int
        The true one, from 0.
    logits : ndarray
        ``(N, K)`` of its planes.
    """

    name: str
    group: str
    kind: int
    logits: npt.NDArray[np.float64]


def judge(recipe: Recipe, model: Model, use: str, job: Job) -> list[Judged]:
    """Return what a model says of the images of a recipe that have this use.

    Raises
    ------
    Cancelled
        The job was stopped.
    UnreadableFileError, RecipeError
        An image is not as it was.
    """
    encoder, files = Encoder(model, recipe.device), list(_images(recipe, use))
    job.stage(f"Looking at what is there to {'test on' if use == 'test' else 'calibrate on'}", len(files))
    judged = []
    for name, group, kind, image in files:
        logits = [kind_logits(image, model, encoder, box=box) for box in _planes(image)]
        judged.append(Judged(name, group, kind, np.stack(logits)))
        job.step()
    return judged


def _images(recipe: Recipe, use: str) -> Iterator[tuple[str, str, int, Image]]:
    for pair in (p for p in recipe.pairs if p.use == use):
        yield pair.image, pair.group, kind_of(recipe, pair) - 1, open_kind(recipe, pair)
    for spec in (s for s in recipe.simulated if s.use == use):
        for i, (image, _) in enumerate(simulated_images(spec)):
            yield f"{spec.generator}/{spec.seed + i}", spec.group, kind_of(recipe, spec) - 1, image


def _planes(image: Image) -> Iterator[tuple[slice, ...]]:
    depth, *plane = image.shape
    for z in np.unique(np.linspace(0, depth - 1, _PLANES).round().astype(int)).tolist():
        yield slice(z, z + 1), *(slice(0, n) for n in plane)


def fit_temperature(judged: list[Judged]) -> float:
    """Return by what to divide logits, so that probabilities are true on average (Guo et al., arXiv:1706.04599)."""
    logits, kinds = _joined(judged)
    return float(max(_TEMPERATURES, key=lambda t: ALONE["log_likelihood"](kind_probabilities(logits / t), kinds)))


def cooled(network: Network, temperature: float) -> Network:
    """Return a network whose logits are divided by a temperature, by its last layer, which is linear."""
    cold = copy.deepcopy(network)
    with torch.no_grad():
        for weight in cold.get_submodule(cold.head_name).parameters():
            weight.div_(temperature)
    return cold


def kind_scores(recipe: Recipe, judged: list[Judged]) -> tuple[Score, ...]:
    """Return the scores of a recipe over all held-out files, with 95 % intervals by drawing files, and of each group.

    Of a group of the last class, which is what is none of the others, ``auroc`` is against all files of the others.
    """
    other = len(recipe.classes) - 1
    known, rest = [j for j in judged if j.kind != other], [j for j in judged if j.kind == other]
    ranked = recipe.classes[other].score_of("auroc") if "auroc" in recipe.metrics and known and rest else None
    names = {m: ranked if m == "auroc" else m for m in recipe.metrics}
    scores = [_overall(known, rest, metric, name) for metric, name in names.items() if name]
    for kind, group in dict.fromkeys((j.kind, j.group) for j in judged):
        mine = [j for j in judged if (j.kind, j.group) == (kind, group)]
        where = f"{recipe.classes[kind].name}: {group}"
        scores.append(_score("accuracy", "accuracy", mine, where))
        if kind == other and ranked:
            value = SCORES["auroc"](*_probabilities([*known, *mine]))
            scores.append(Score(metric=ranked, value=value, on=f"{where}, against all others", n=len(mine)))
    return tuple(scores)


def score_kinds(recipe: Recipe, model: Model, job: Job) -> list[Row]:
    """Return the scores of a model on what a recipe tests on, a row for all of it and one for each group.

    Raises
    ------
    Cancelled, UnreadableFileError, RecipeError
        As for `judge`.
    """
    scores = kind_scores(recipe, judge(with_files(recipe), model, "test", job))
    rows = {score.on: Row(score.on, {}, {}) for score in scores}
    for score in scores:
        rows[score.on].scores[score.metric] = score.value
        if score.low is not None and score.high is not None:
            rows[score.on].intervals[score.metric] = (score.low, score.high)
    return list(rows.values())


def _overall(known: list[Judged], rest: list[Judged], metric: str, name: str) -> Score:
    """Return a score with its interval (Efron, Ann. Stat. 7:1, 1979); each part is drawn by itself: neither lacks."""
    rng = np.random.default_rng(0)
    values = []
    for _ in range(_DRAWS):
        drawn = [part[i] for part in (known, rest) if part for i in rng.integers(len(part), size=len(part))]
        values.append(SCORES[metric](*_probabilities(drawn)))
    low, high = np.quantile(values, (0.025, 0.975))
    whole = _score(metric, name, [*known, *rest], "all that is held out")
    return whole.model_copy(update={"low": float(low), "high": float(high)})


def _score(metric: str, name: str, judged: list[Judged], on: str) -> Score:
    planes = sum(len(j.logits) for j in judged)
    on += f" ({planes} planes)" if planes > len(judged) else ""
    return Score(metric=name, value=SCORES[metric](*_probabilities(judged)), on=on, n=len(judged))


def _probabilities(judged: list[Judged]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    logits, kinds = _joined(judged)
    return kind_probabilities(logits), kinds


def _joined(judged: list[Judged]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    kinds = np.repeat([j.kind for j in judged], [len(j.logits) for j in judged])
    return np.concatenate([j.logits for j in judged]), kinds
