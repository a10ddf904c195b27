"""Where several classes lie to each other: the logits of each are shifted so that the labels are best on val pairs.

A loss that weighs pixels does not end where the labels score best: thin membranes want a lower threshold, blobs a
higher one, and where two classes are likely the better of them wins. One number a class, chosen on images that are not
trained on, and put into the bias of the last layer (logit adjustment: Menon et al., ICLR 2021), leaves one threshold
for the user to move, and costs nothing when the network runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit, logit

from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.tasks import TASKS, Decision
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.evaluation import probabilities
from napari_bioseg.workflows.recipe_data import load_val

_STEP, _MOST = 0.2, 2.0
_ROUNDS = 5
_SURE = 2.0**-14  # probabilities nearer to 0 or 1 are no longer told apart in 16 bits

Shifts = tuple[float, ...]


def adjusted(recipe: Recipe, model: Model, job: Job) -> Model:
    """Return a model with the classes of its network shifted, whose card says by how much.

    Each class in turn gets the best shift, by `select_on` over the val pairs, while the others stay, until none
    changes.

    Parameters
    ----------
    recipe : Recipe
        With `adjust_logits`.
    model : Model
        Of the network, with the threshold that the labels are made with.
    job : Job
        For progress and for stopping.
    """
    options = PredictOptions(backend="torch")
    found = [(probabilities(image, model, options, job=job), truth) for image, truth in load_val(recipe)]
    logits = [logit(np.clip(p.astype(np.float32), _SURE, 1 - _SURE)) for p, _ in found]
    decision, task = Decision(**recipe.output.decision), TASKS.get(recipe.task)

    def score(shifts: Shifts) -> float:
        job.check()
        by = np.array(shifts, np.float32)
        scores = [
            task.score(recipe.select_on, _shifted(x, by), truth, decision)
            for x, (_, truth) in zip(logits, found, strict=True)
        ]
        return float(np.mean(scores))

    job.stage("Choosing how the classes lie to each other")
    shifts = best_shifts(score, len(recipe.classes))
    card = model.card.model_copy(update={"shifts": shifts})
    return replace(model, card=card, network=_with_bias(model.network, shifts))


def best_shifts(score: Callable[[Shifts], float], classes: int) -> Shifts:
    """Return the shifts that score best, by coordinate ascent over steps of 0.2; of equal ones the smallest."""
    n = round(_MOST / _STEP)
    steps = [round(i * _STEP, 1) for i in range(-n, n + 1)]
    shifts: Shifts = (0.0,) * classes
    for _ in range(_ROUNDS):
        before = shifts
        for i in range(classes):
            tried = [(*shifts[:i], step, *shifts[i + 1 :]) for step in steps]
            shifts = max(tried, key=lambda s: (score(s), -abs(s[i])))
        if shifts == before:
            break
    return shifts


def _shifted(logits: npt.NDArray[np.float32], by: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    shifted: npt.NDArray[np.float16] = expit(logits + by.reshape(-1, *(1,) * (logits.ndim - 1))).astype(np.float16)
    return shifted


def _with_bias(network: Network, shifts: Sequence[float]) -> Network:
    moved = copy.deepcopy(network)
    with torch.no_grad():
        moved.get_submodule(moved.head_name).get_parameter("bias").add_(torch.tensor(shifts))
    return moved
