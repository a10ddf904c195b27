"""Against forgetting: where the truth is not known, a network is held to what the old one says.

Learning without forgetting (Li & Hoiem 2016, arXiv:1606.09282): the old model's output on the very patches of the
training is the target there. Patches of images marked ``replay``, like those that the old model was made for, are held
to it everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from napari_bioseg.core.job import Job
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.tasks import IGNORED
from napari_bioseg.training.recipe import Recipe


class Teacher:
    """The old model, as it was before the training.

    Parameters
    ----------
    network : Network
        In eval mode, on the device of the training.
    weight : float
        Of its loss, beside those of the recipe.
    softmax : bool
        Whether channels exclude each other.
    """

    def __init__(self, network: Network, weight: float, softmax: bool) -> None:
        self._network = network.requires_grad_(False)
        self._weight, self._softmax = weight, softmax

    def loss(self, image: Tensor, logits: Tensor, target: Tensor) -> Tensor:
        """Return how far the logits are from the old model's where the truth is not known; 0 where all is known.

        The mean over those pixels of the Kullback-Leibler divergence from the old probabilities, times the weight.

        Parameters
        ----------
        image : Tensor
            Float ``(N, 1, *space)``.
        logits : Tensor
            Float ``(N, K, *space)``, of the network that is trained.
        target : Tensor
            Int ``(N, *space)``.
        """
        unknown = target == IGNORED
        some = unknown.flatten(1).any(1)
        if not bool(some.any()):
            return logits.new_zeros(())
        with torch.no_grad():
            old = self._network(image[some]).float()
        new, where = logits[some], unknown[some]
        if self._softmax:
            each = functional.kl_div(new.log_softmax(1), old.log_softmax(1), reduction="none", log_target=True).sum(1)
        else:
            each = (_cross_entropy(new, old.sigmoid()) - _cross_entropy(old, old.sigmoid())).sum(1)
        return self._weight * each[where].mean()


def find_teacher(recipe: Recipe, start: Model | None, device: torch.device, job: Job) -> Teacher | None:
    """Return the model that a recipe continues from as a teacher; None where nothing is to be held to it."""
    if start is None or not recipe.held_to_old:
        return None
    if start.card.classes != recipe.classes:
        job.note(f"{recipe.name} has other classes than {start.card.name}: it cannot be held to what that one says")
        return None
    return Teacher(start.network.to(device), recipe.held_to_old, recipe.output.activation == "softmax")


def _cross_entropy(logits: Tensor, p: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, p, reduction="none")
