"""Against forgetting: where the truth is not known, a network is held to what the old one says.

Learning without forgetting (Li & Hoiem 2016, arXiv:1606.09282): the old model's output on the very patches of the
training is the target there. Patches of images marked ``replay``, like those that the old model was made for, are held
to it everywhere.

A detector's patches are known or unknown as a whole: frames that nobody checked are held to the old one. Nearly all
of their pixels are empty, so that a mean over pixels would be nothing; as in its own loss the sum is told an object,
and boxes count where the old one sees a centre, as much as it is sure of it (objectness scaled distillation: Mehta &
Ozturk 2018, arXiv:1805.06361). That the old detector's answers keep a new one from forgetting is of Shmelkov, Schmid &
Alahari (ICCV 2017, arXiv:1708.06977).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from napari_bioseg.core.job import Job
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.tasks import IGNORED
from napari_bioseg.training.recipe import Recipe

Outputs: TypeAlias = Literal["sigmoid", "softmax", "boxes"]


class Teacher:
    """The old model, as it was before the training.

    Parameters
    ----------
    network : Network
        In eval mode, on the device of the training.
    weight : float
        Of its loss, beside those of the recipe.
    outputs : {"sigmoid", "softmax", "boxes"}
        What the channels are: classes each by itself, classes that exclude each other, or the maps of a detector.
    """

    def __init__(self, network: Network, weight: float, outputs: Outputs) -> None:
        self._network = network.requires_grad_(False)
        self._weight, self._outputs = weight, outputs

    def loss(self, image: Tensor, logits: Tensor, target: Tensor) -> Tensor:
        """Return how far the logits are from the old model's where the truth is not known; 0 where all is known.

        The mean over those pixels of the Kullback-Leibler divergence from the old probabilities, times the weight;
        of detectors the sum over the objects that the old one sees there, divided by their number.

        Parameters
        ----------
        image : Tensor
            Float ``(N, 1, *space)``.
        logits : Tensor
            Float ``(N, K, *space)``, of the network that is trained.
        target : Tensor
            Int ``(N, *space)``, or for a detector the ``(N, 6, Y, X)`` of `tasks.detection.encode`; -1: not known.
        """
        unknown = (target[:, 0] if self._outputs == "boxes" else target) == IGNORED
        some = unknown.flatten(1).any(1)
        if not bool(some.any()):
            return logits.new_zeros(())
        with torch.no_grad():
            old = self._network(image[some]).float()
        new, where = logits[some], unknown[some]
        if self._outputs == "boxes":
            return self._weight * _of_boxes(new, old)
        if self._outputs == "softmax":
            each = functional.kl_div(new.log_softmax(1), old.log_softmax(1), reduction="none", log_target=True).sum(1)
        else:
            each = _divergence(new, old).sum(1)
        return self._weight * each[where].mean()


def find_teacher(recipe: Recipe, start: Model | None, device: torch.device, job: Job) -> Teacher | None:
    """Return the model that a recipe continues from as a teacher; None where nothing is to be held to it."""
    if start is None or not recipe.held_to_old:
        return None
    if start.card.classes != recipe.classes:
        job.note(f"{recipe.name} has other classes than {start.card.name}: it cannot be held to what that one says")
        return None
    outputs: Outputs = "boxes" if recipe.task == "detection" else recipe.output.activation
    return Teacher(start.network.to(device), recipe.held_to_old, outputs)


def _of_boxes(new: Tensor, old: Tensor) -> Tensor:
    """Return the divergence of the maps ``(N, 5, Y, X)`` of a detector, an object that the old one sees."""
    centres = old[:, :1].sigmoid()
    counts = torch.cat([torch.ones_like(centres), centres.expand(-1, old.shape[1] - 1, -1, -1)], dim=1)
    return (_divergence(new, old) * counts).sum() / centres.sum().clamp(min=1)


def _divergence(new: Tensor, old: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of each number by itself, both given as logits."""
    p = old.sigmoid()
    cross, own = (functional.binary_cross_entropy_with_logits(x, p, reduction="none") for x in (new, old))
    return cross - own
