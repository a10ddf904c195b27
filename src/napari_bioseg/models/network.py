"""What the engine asks of every network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn


class Network(nn.Module, ABC):
    """A fully convolutional network, exact under tiling in eval mode.

    Logits of shape ``(N, K, *space)`` for an input ``(N, C, *space)`` whose sides are multiples of
    `stride`. No layer may use statistics of the tile it sees, or the network must say that it is not `exact`.
    """

    encoder_name = ""
    """Name of the submodule that can be frozen as the encoder; empty: none can."""

    head_name = ""
    """Name of the submodule that makes logits of features and can be replaced alone; empty: none can."""

    exact = True
    """Whether tiles give what the whole image gives, but for rounding; some networks of others only nearly do."""

    @property
    @abstractmethod
    def stride(self) -> tuple[int, ...]:
        """Total pooling along each spatial axis: tiles must start at multiples of it."""

    @property
    @abstractmethod
    def halo(self) -> tuple[int, ...]:
        """How far, along each spatial axis, an output pixel may depend on the input."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""

    def features(self, x: Tensor) -> Tensor:
        """Return what the network makes of an image before it decides, ``(N, F, *coarse)``, to compare images by.

        Sides may be any that divide those of the input. The logits, unless `halfway` knows better.
        """
        return self.halfway(x)[0]

    def halfway(self, x: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        """Return `features`, and what goes on from there to the logits when it is called: nothing is run twice."""
        logits = self.forward(x)
        return logits, lambda: logits
