"""A compact network that says what kind of image it sees, by the texture around each place.

A few strided convolutions, the mean and the spread of what they find in a neighbourhood, and a decision for each place:
statistics of filters are what textures are told by (Portilla and Simoncelli, Int. J. Comput. Vis. 40:49, 2000). What is
said of an image is the mean over all places (Brendel and Bethge, ICLR 2019), so that it takes any size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_bioseg.models.network import Network
from napari_bioseg.models.registry import ARCHITECTURES

_AROUND = 3  # places to each side whose statistics decide


@ARCHITECTURES.register("kind_cnn")
class KindCnn(Network):
    """Levels of half the resolution each, one wider look, statistics around each place, and a small decision on them.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image, and how many kinds there are.
    widths : sequence of int
        Feature channels of each level, from fine to coarse.
    hidden : int
        Channels of the decision.
    dropout : float
        Channel dropout before the last layer.
    """

    encoder_name, head_name = "levels", "head"

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 5,
        widths: Sequence[int] = (16, 32, 64, 96),
        hidden: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        inputs = (in_channels, *widths[:-1])
        self.levels = nn.Sequential(*(_layer(i, w, 3, 2) for i, w in zip(inputs, widths, strict=True)))
        self.wide = _layer(widths[-1], widths[-1], 3, 1)
        self.decision = nn.Sequential(*_layer(2 * widths[-1], hidden, 1, 1), nn.Dropout2d(dropout))
        self.head = nn.Conv2d(hidden, out_channels, 1)

    @property
    def stride(self) -> tuple[int, ...]:
        """Two to the number of levels."""
        return (2 ** len(self.levels),) * 2

    @property
    def halo(self) -> tuple[int, ...]:
        """Exact reach: the places around and one more, each of three pixels of the finer level along an axis."""
        low, high = -_AROUND - 1, _AROUND + 1
        for _ in self.levels:
            low, high = 2 * low - 1, 2 * high + 1
        return (max(self.stride[0] - 1 - low, high),) * 2

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(N, K, Y, X)``, the same for all pixels of a place."""
        return self.halfway(x)[1]()

    def halfway(self, x: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        """Return the logits of each place, ``(N, K, Y / stride, X / stride)``, and what brings them to its pixels."""
        found = self.wide(self.levels(x))
        mean = _around(found)
        spread = (_around(found * found) - mean * mean).clamp(min=1e-4).sqrt()
        logits: Tensor = self.head(self.decision(torch.cat((mean, spread), dim=1)))
        return logits, lambda: functional.interpolate(logits, scale_factor=float(self.stride[0]), mode="nearest")


def _around(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 2 * _AROUND + 1, stride=1, padding=_AROUND, count_include_pad=False)


def _layer(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
