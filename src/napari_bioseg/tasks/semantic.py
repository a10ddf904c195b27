"""Semantic segmentation: each pixel belongs to a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_bioseg import metrics
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.postprocess.separate import classify_apart
from napari_bioseg.tasks.base import TASKS, Decision
from napari_bioseg.tasks.cores import without_cores
from napari_bioseg.tasks.losses import Batch, Loss

IGNORED = -1
"""Target of a pixel whose truth is not known."""

Mask = npt.NDArray[np.bool_]


def _membranes(found: Mask, truth: Mask) -> metrics.MembraneScores:
    if not truth.any():
        raise RecipeError("v_rand and v_info", "the labels hold no interior of a cell", "Choose other metrics")
    # Slices are scored one by one, whatever axes they come along.
    found, truth = (mask.reshape(-1, *mask.shape[-2:]) for mask in (found, truth))
    return metrics.membrane_scores(found, truth, (0.5,))


SCORES: dict[str, Callable[[Mask, Mask, Mask], float]] = {
    "dice": lambda found, truth, _: metrics.dice(found, truth),
    "iou": lambda found, truth, _: metrics.iou(found, truth),
    "cldice": lambda found, truth, _: metrics.cldice(found, truth),
    "pixel_accuracy": lambda found, truth, known: metrics.pixel_accuracy(found[known], truth[known]),
    "v_rand": lambda found, truth, _: _membranes(found, truth)["v_rand"],
    "v_info": lambda found, truth, _: _membranes(found, truth)["v_info"],
}
"""Of what was found, against the truth, both empty where the third mask says that the truth is not known."""

RANKED = ("auprc",)
"""Of the probabilities themselves, not of the labels that come of them."""

_OF_SOMETHING = ("v_rand", "v_info", *RANKED)


def map_labels(
    values: npt.NDArray[Any], mapping: Mapping[int, int], classes: int, subject: str = "labels"
) -> npt.NDArray[np.int16]:
    """Turn the values of a label file into classes: 0 is background, -1 not known.

    Parameters
    ----------
    values : ndarray
    mapping : Mapping
        Value: class; values that it leaves out are not known. Without one, anything above 0 is class 1 where there
        is one class, and values are classes where there are several.
    classes : int
        How many there are.
    subject : str
        The file, for messages.

    Raises
    ------
    RecipeError
        A value is no class.
    """
    allowed = np.arange(IGNORED, classes + 1)
    if mapping:
        _check_classes(np.array(list(mapping.values())), allowed, subject)
        target = np.full(values.shape, IGNORED, dtype=np.int16)
        for value, number in mapping.items():
            target[values == value] = number
        return target
    if classes == 1:
        values = np.where(values > 0, 1, values)
    _check_classes(values, allowed, subject)
    return values.astype(np.int16)


def _check_classes(values: npt.NDArray[Any], allowed: npt.NDArray[np.int_], subject: str) -> None:
    wrong = values[~np.isin(values, allowed)]
    if len(wrong):
        problem = f"value {wrong[0]} is no class: they are 1 to {allowed[-1]}, 0 is background and -1 not known"
        raise RecipeError(subject, problem, "Tell by label_values which class each value is, e.g. 255=1")


def can_score(metric: str, target: npt.NDArray[np.int16]) -> bool:
    """Return whether a target holds what a metric needs: a known pixel, for some of them one of a class."""
    return bool((target > 0 if metric in _OF_SOMETHING else target != IGNORED).any())


def score_labels(metric: str, labels: npt.NDArray[Any], target: npt.NDArray[np.int16]) -> float:
    """Return one figure for classes against the true ones, of equal shape; higher is better.

    With several classes it is the mean over those that the target holds. Pixels whose truth is not known do not count.

    Raises
    ------
    RecipeError
        No such metric, or the target holds nothing that it could score.
    """
    return _mean(_score_classes(metric, labels, target))


def _mean(scores: Mapping[int, float]) -> float:
    return float(np.mean(list(scores.values())))


def _score_classes(metric: str, labels: npt.NDArray[Any], target: npt.NDArray[np.int16]) -> dict[int, float]:
    """Return the score of each class that the target holds; of class 1 where it holds none. Errors: `score_labels`."""
    if metric not in SCORES:
        raise RecipeError(f"metric {metric!r}", "does not exist", f"Choose one of: {', '.join(SCORES)}")
    known = target != IGNORED
    if not known.any():
        raise RecipeError("labels", "no pixel of them is known", "Give labels with other values than -1")
    present = [int(v) for v in np.unique(target) if v > 0] or [1]
    return {v: SCORES[metric]((labels == v) & known, target == v, known) for v in present}


def _rank_classes(p: npt.NDArray[Any], target: npt.NDArray[np.int16], activation: str) -> dict[int, float]:
    """Return the AUPRC of each class that the target holds, each by its own probability.

    Where there is none, since the model is an older one with fewer classes, by chance.
    """
    present = [int(v) for v in np.unique(target) if v > 0]
    if not present:
        raise RecipeError("auprc", "the labels hold no pixel of a class", "Choose other metrics")
    channels, known = p[1 if activation == "softmax" else 0 :], target != IGNORED
    nothing = np.zeros(target.shape, np.float16)
    each = {v: channels[v - 1] if v <= len(channels) else nothing for v in present}
    return {v: metrics.auprc(found[known], target[known] == v) for v, found in each.items()}


def _labels(probabilities: npt.NDArray[Any], decision: Decision) -> npt.NDArray[Any]:
    limits = (decision.threshold, decision.separate, decision.activation)
    return classify_apart(probabilities, *limits, cores=decision.cores > 0)


def _without_cores(
    probabilities: npt.NDArray[Any], target: npt.NDArray[np.int16], decision: Decision
) -> npt.NDArray[np.int16]:
    return without_cores(target, len(probabilities) - 1) if decision.cores > 0 else target


class SemanticTask:
    """One class a channel (sigmoid), or classes that exclude each other (softmax, channel 0 is background).

    Sigmoids say of each class by itself how likely it is, so that classes may overlap. The truth has one class a pixel,
    and so have the labels: of several classes above the threshold, the likeliest.
    """

    def channels(self, classes: tuple[int, ...], activation: str, cores: bool = False) -> int:
        """Return how many channels the network must give; with `cores` one more than the classes need."""
        return len(classes) + (activation == "softmax") + cores

    def loss(self, logits: Tensor, target: Tensor, loss: Loss, activation: str, cores: bool = False) -> Tensor:
        """Return the loss of ``(N, K, *space)`` logits against ``(N, *space)`` targets; ignored pixels do not count.

        With `cores` the target is that of `mark_cores`, and the last channel learns where the cores are.
        """
        softmax = activation == "softmax"
        classes = logits.shape[1] - 1
        inner = target > classes if cores else None
        if inner is not None:
            target = torch.where(inner, target - classes, target)
        values = torch.arange(logits.shape[1], device=target.device) + (0 if softmax else 1)
        shape = (1, -1, *(1,) * (target.ndim - 1))
        truth = (target[:, None] == values.view(shape)).to(logits.dtype)
        if inner is not None:
            truth[:, -1] = inner
        weight = (target[:, None] != IGNORED).to(logits.dtype)
        return loss(Batch(logits, truth, weight, softmax))

    def score(
        self, metric: str, probabilities: npt.NDArray[Any], target: npt.NDArray[np.int16], decision: Decision
    ) -> float:
        """Return one figure for ``(K, *space)`` probabilities against ``(*space)`` targets; higher is better.

        With several classes it is the mean of `score_classes`.

        Raises
        ------
        RecipeError
            As for `score_labels`.
        """
        return _mean(self.score_classes(metric, probabilities, target, decision))

    def score_classes(
        self, metric: str, probabilities: npt.NDArray[Any], target: npt.NDArray[np.int16], decision: Decision
    ) -> dict[int, float]:
        """Return the figure of each class that the target holds, by its number from 1; higher is better.

        What is scored are the labels that users get, but of `RANKED` metrics the probabilities.

        Raises
        ------
        RecipeError
            As for `score_labels`.
        """
        target = _without_cores(probabilities, target, decision)
        if metric in RANKED:
            return _rank_classes(probabilities, target, decision.activation)
        return _score_classes(metric, _labels(probabilities, decision), target)

    def confusion(
        self, probabilities: npt.NDArray[Any], target: npt.NDArray[np.int16], decision: Decision
    ) -> npt.NDArray[np.int64]:
        """Return the `confusion_matrix` of the labels that users get, with the classes of both sides."""
        target, labels = _without_cores(probabilities, target, decision), _labels(probabilities, decision)
        classes = len(probabilities) - (decision.activation == "softmax") - (decision.cores > 0)
        # An older model may know fewer than the truth.
        return metrics.confusion_matrix(labels, target, max(classes, int(target.max(initial=0))))


TASKS.register("semantic")(SemanticTask())
