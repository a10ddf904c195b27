"""Semantic segmentation: each pixel belongs to a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_bioseg import metrics
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.tasks.base import TASKS, Decision
from napari_bioseg.tasks.losses import Batch, Loss

IGNORED = -1
"""Target of a pixel whose truth is not known."""

Mask = npt.NDArray[np.bool_]
Probabilities = npt.NDArray[Any]


def _v_rand(p: Probabilities, truth: Mask, threshold: float) -> float:
    return metrics.membrane_scores(p, truth, (threshold,))["v_rand"]


def _v_info(p: Probabilities, truth: Mask, threshold: float) -> float:
    return metrics.membrane_scores(p, truth, (threshold,))["v_info"]


SCORES: dict[str, Callable[[Probabilities, Mask, float], float]] = {
    "dice": lambda p, truth, threshold: metrics.dice(p > threshold, truth),
    "iou": lambda p, truth, threshold: metrics.iou(p > threshold, truth),
    "cldice": lambda p, truth, threshold: metrics.cldice(p > threshold, truth),
    "pixel_accuracy": lambda p, truth, threshold: metrics.pixel_accuracy(p > threshold, truth),
    "v_rand": _v_rand,
    "v_info": _v_info,
}


class SemanticTask:
    """One class a channel (sigmoid), or classes that exclude each other (softmax, channel 0 is background)."""

    def channels(self, classes: tuple[int, ...], activation: str) -> int:
        """Return how many channels the network must give."""
        return len(classes) + (activation == "softmax")

    def loss(self, logits: Tensor, target: Tensor, loss: Loss, activation: str) -> Tensor:
        """Return the loss of ``(N, K, *space)`` logits against ``(N, *space)`` targets; ignored pixels do not count."""
        softmax = activation == "softmax"
        values = torch.arange(logits.shape[1], device=target.device) + (0 if softmax else 1)
        shape = (1, -1, *(1,) * (target.ndim - 1))
        truth = (target[:, None] == values.view(shape)).to(logits.dtype)
        mask = (target[:, None] != IGNORED).to(logits.dtype)
        return loss(Batch(logits, truth, mask, softmax))

    def score(
        self, metric: str, probabilities: Probabilities, target: npt.NDArray[np.int16], decision: Decision
    ) -> float:
        """Return one figure for ``(K, *space)`` probabilities against ``(*space)`` targets; higher is better.

        With several classes it is the mean over those that the target holds. Pixels whose truth is not
        known count as background in both.

        Raises
        ------
        RecipeError
            No such metric.
        """
        if metric not in SCORES:
            raise RecipeError(f"metric {metric!r}", "does not exist", f"Choose one of: {', '.join(SCORES)}")
        known = target != IGNORED
        first = 0 if decision.activation == "softmax" else 1
        present = [int(v) for v in np.unique(target) if v > 0] or [1]
        return float(
            np.mean(
                [SCORES[metric](probabilities[v - first] * known, target == v, decision.threshold) for v in present]
            )
        )


TASKS.register("semantic")(SemanticTask())
