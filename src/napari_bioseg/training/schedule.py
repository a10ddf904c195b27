"""Learning rate over the steps, and the moving average of the weights."""

from __future__ import annotations

import copy
import math

import torch

from napari_bioseg.models.network import Network


def learning_rate(step: int, total: int, warm_up: float, peak: float) -> float:
    """Rise linearly over the first share `warm_up` of `total` steps, then fall as a cosine to nearly 0.

    Loshchilov & Hutter 2017 (arXiv:1608.03983), without restarts.
    """
    rising = max(1, round(total * warm_up))
    if step < rising:
        return peak * (step + 1) / rising
    share = (step - rising) / max(1, total - rising)
    return peak * (0.005 + 0.995 * (1 + math.cos(math.pi * min(1.0, share))) / 2)


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
