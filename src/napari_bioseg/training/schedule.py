"""Optimisers, the learning rate over the steps, and the moving average of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_bioseg.models.network import Network
from napari_bioseg.training.recipe import Recipe

_LEAST = 0.005  # of the highest rate, at the end of a cosine
_RISE, _FIRST, _LAST = 0.3, 0.04, 1e-5  # of one_cycle: share of the steps, and shares of the highest rate
_DROP = 1 / 3  # at each plateau


def make_optimiser(recipe: Recipe, network: Network) -> torch.optim.Optimizer:
    """Return AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), or SGD with Nesterov's momentum."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay)
    momentum = recipe.momentum
    return torch.optim.SGD(network.parameters(), lr=rate, momentum=momentum, weight_decay=decay, nesterov=momentum > 0)


def learning_rate(recipe: Recipe, step: int, drops: int = 0) -> float:
    """Return the learning rate of a step, which with `drops` alone decides it.

    But for ``one_cycle`` it rises linearly over the first share `warm_up` of the steps. Then it

    - ``cosine``: falls as a cosine to nearly 0 (Loshchilov & Hutter 2017, arXiv:1608.03983);
    - ``warm_restarts``: does so several times, each time over twice as many steps (the same paper);
    - ``one_cycle``: rises as a cosine over 30 % of the steps, and falls to a hundred-thousandth (Smith & Topin 2018,
      arXiv:1708.07120; momentum stays the same);
    - ``plateau``: falls to a third at each of the `drops`, see `Plateau`;
    - ``constant``: stays.

    Parameters
    ----------
    recipe : Recipe
    step : int
        From 0.
    drops : int
        Plateaus before this step.
    """
    total = recipe.epochs * recipe.steps
    if recipe.schedule == "one_cycle":
        return recipe.learning_rate * _one_cycle(step / total)
    rising = max(1, round(total * recipe.warm_up))
    if step < rising:
        return recipe.learning_rate * (step + 1) / rising
    share = min(1.0, (step - rising) / max(1, total - rising))
    falls: dict[str, Callable[[], float]] = {
        "cosine": lambda: _cosine(share, 1, _LEAST),
        "warm_restarts": lambda: _warm_restarts(share, recipe.cycles),
        "plateau": lambda: _DROP**drops,
        "constant": lambda: 1.0,
    }
    return recipe.learning_rate * falls[recipe.schedule]()


def _cosine(share: float, start: float, end: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _warm_restarts(share: float, cycles: int) -> float:
    # Cycles of 1, 2, 4 ... units: the n-th begins after 2**n - 1 of them.
    units = 1 + share * (2**cycles - 1)
    cycle = min(cycles - 1, int(math.log2(units)))
    return _cosine(units / 2**cycle - 1, 1, _LEAST)


def _one_cycle(share: float) -> float:
    return _cosine(share / _RISE, _FIRST, 1) if share < _RISE else _cosine((share - _RISE) / (1 - _RISE), 1, _LAST)


@dataclass
class Plateau:
    """Counts how often a training got no further.

    Attributes
    ----------
    best : float
        The highest value so far.
    since : int
        Epoch of it, or of the last drop.
    drops : int
    """

    best: float = float("-inf")
    since: int = 0
    drops: int = 0

    def look(self, value: float | None, epoch: int, patience: int) -> None:
        """Take in the value of an epoch, the higher the better; None where it was not measured."""
        if value is None:
            return
        if value > self.best:
            self.best, self.since = value, epoch
        elif epoch - self.since >= patience:
            self.drops, self.since = self.drops + 1, epoch


class Average:
    """Exponential moving average of weights and of the statistics of batch normalisation.

    Polyak & Juditsky 1992; the decay is lower at first, so that the random start is soon forgotten.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        """Move towards `network` after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for mine, other in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(other, 1 - decay)
            else:
                mine.copy_(other)
