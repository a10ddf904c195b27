"""Classification: a whole image is of one kind, and kinds exclude each other.

The network says at every place what kind of image it might be part of, and the mean over all places decides: so images
may have any size, and what cuts them into windows for other tasks serves this one, too. The last class is what is none
of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, arange

from napari_bioseg import metrics
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.metrics.calibration import reliability
from napari_bioseg.tasks.base import TASKS, Decision
from napari_bioseg.tasks.losses import Batch, Loss

Floats = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.int64]


def _accuracy(p: Floats, kinds: Kinds) -> float:
    return float((p.argmax(axis=1) == kinds).mean())


def _log_likelihood(p: Floats, kinds: Kinds) -> float:
    return float(np.log(np.maximum(p[np.arange(len(kinds)), kinds], 1e-12)).mean())


def _calibration_error(p: Floats, kinds: Kinds) -> float:
    return reliability(p.max(axis=1), p.argmax(axis=1) == kinds).expected_error


def _auroc(p: Floats, kinds: Kinds) -> float:
    return metrics.auroc(p[:, -1], kinds == p.shape[1] - 1)


ALONE: dict[str, Callable[[Floats, Kinds], float]] = {"accuracy": _accuracy, "log_likelihood": _log_likelihood}
"""Of ``(N, K)`` probabilities against N kinds, counted from 0; of a single image, too."""

SEVERAL: dict[str, Callable[[Floats, Kinds], float]] = {"calibration_error": _calibration_error, "auroc": _auroc}
"""Those that need several images; ``auroc`` is of the last class against all others."""

SCORES = {**ALONE, **SEVERAL}
"""All of them."""


class ClassificationTask:
    """One kind an image."""

    def channels(self, classes: tuple[int, ...], activation: str, cores: bool = False) -> int:  # noqa: ARG002
        """Return how many channels the network must give: one a kind."""
        return len(classes)

    def loss(
        self,
        logits: Tensor,
        target: Tensor,
        loss: Loss,
        activation: str,  # noqa: ARG002
        cores: bool = False,  # noqa: ARG002
    ) -> Tensor:
        """Return the loss of the mean of ``(N, K, Y, X)`` logits; targets ``(N, Y, X)`` hold one kind each, from 1."""
        pooled = logits.mean(dim=(2, 3), keepdim=True).expand_as(logits)
        kinds = arange(1, logits.shape[1] + 1, device=target.device).view(1, -1, 1, 1)
        truth = (target[:, None] == kinds).to(logits.dtype)
        return loss(Batch(pooled, truth, truth.sum(dim=1, keepdim=True), softmax=True))

    def score(self, metric: str, probabilities: npt.NDArray[Any], target: Any, decision: Decision) -> float:  # noqa: ARG002
        """Return the mean over the planes of ``(K, Z, Y, X)`` probabilities of an image of one kind, from 1.

        Raises
        ------
        RecipeError
            No such metric, or one that needs several images.
        """
        if metric not in ALONE:
            raise RecipeError(
                f"metric {metric!r}", "is not one of a single image", f"Choose one of: {', '.join(ALONE)}"
            )
        p = np.asarray(probabilities, np.float64).mean(axis=(2, 3)).T
        return ALONE[metric](p, np.full(len(p), int(target.flat[0]) - 1))


TASKS.register("classification")(ClassificationTask())
