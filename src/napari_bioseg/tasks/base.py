"""What every task knows: targets, loss, decoding and score, since they must agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt
from torch import Tensor

from napari_bioseg.core.registry import Registry
from napari_bioseg.tasks.losses import Loss


@dataclass(frozen=True)
class Decision:
    """How probabilities become a yes or no: the activation that made them, the threshold, and where gaps are closed.

    With `cores` above 0 the last channel says where the cores of objects are.
    """

    activation: str = "sigmoid"
    threshold: float = 0.5
    separate: float = 0.0
    cores: float = 0.0


class Task(Protocol):
    """One kind of question that a network answers."""

    def channels(self, classes: tuple[int, ...], activation: str, cores: bool = False) -> int:
        """Return how many channels the network must give; with `cores` one more than the classes need."""

    def loss(self, logits: Tensor, target: Tensor, loss: Loss, activation: str, cores: bool = False) -> Tensor:
        """Return the loss of ``(N, K, *space)`` logits against ``(N, *space)`` targets."""

    def score(self, metric: str, probabilities: npt.NDArray[Any], target: Any, decision: Decision) -> float:
        """Return one figure for ``(K, *space)`` probabilities against ``(*space)`` targets; higher is better."""


TASKS: Registry[Task] = Registry("task", "napari_bioseg.tasks")
