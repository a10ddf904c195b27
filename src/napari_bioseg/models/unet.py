"""U-Net in 2-D and 3-D, also for anisotropic voxels.

Ronneberger, Fischer & Brox, MICCAI 2015 (arXiv:1505.04597) and Çiçek et al., MICCAI 2016
(arXiv:1606.06650), with padded convolutions and batch normalisation (Ioffe & Szegedy 2015), which in
eval mode is a fixed scaling and so exact under tiling. Kernels and pooling may differ by level, so that
coarse Z of two-photon stacks is pooled later than Y and X (as in nnU-Net, Isensee et al. 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from napari_bioseg.models.network import Network
from napari_bioseg.models.registry import ARCHITECTURES

_CONV: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
_UP: dict[int, Any] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_NORM: dict[int, Any] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_POOL: dict[int, Any] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_CONVS_PER_BLOCK = 2


@ARCHITECTURES.register("unet")
class UNet(Network):
    """Encoder, decoder and skip connections.

    Parameters
    ----------
    dims : int
        2 or 3 spatial axes.
    in_channels, out_channels : int
        Channels of the image and of the logits.
    widths : sequence of int
        Feature channels of each level, from fine to coarse.
    kernels : sequence of sequence of int, optional
        Kernel size of each level along each axis (odd); 3 everywhere by default.
    strides : sequence of sequence of int, optional
        Pooling between a level and the next, one fewer than `widths`; 2 everywhere by default.
    dropout : float
        Channel dropout at the coarsest level (Tompson et al. 2015).
    stretch : float
        The network sees ``asinh(x / stretch) / asinh(1 / stretch)`` of grey values x (Lupton, Gunn & Szalay 1999,
        arXiv:astro-ph/9903081): nearly a logarithm above `stretch`, in which dim structures stand out as far as bright
        ones do, and linear below, where there is noise. 0 for the values as they are.
    """

    encoder_name, head_name = "encoder", "head"
    head_margin = 0  # pixels that the head looks to each side

    def __init__(
        self,
        *,
        dims: int = 2,
        in_channels: int = 1,
        out_channels: int = 1,
        widths: Sequence[int] = (16, 32, 64, 128),
        kernels: Sequence[Sequence[int]] | None = None,
        strides: Sequence[Sequence[int]] | None = None,
        dropout: float = 0.0,
        stretch: float = 0.0,
    ) -> None:
        super().__init__()
        self.stretch = stretch
        self.kernels = _per_level(kernels, (3,) * dims, len(widths))
        self.strides = _per_level(strides, (2,) * dims, len(widths) - 1)
        inputs = (in_channels, *widths[:-1])
        self.encoder = nn.ModuleList(
            _block(dims, i, w, k) for i, w, k in zip(inputs, widths, self.kernels, strict=True)
        )
        self.pools = nn.ModuleList(_POOL[dims](s) for s in self.strides)
        self.drop = nn.Dropout2d(dropout) if dims == 2 else nn.Dropout3d(dropout)
        self.ups = nn.ModuleList(
            _UP[dims](coarse, fine, s, stride=s)
            for (fine, coarse), s in zip(pairwise(widths), self.strides, strict=True)
        )
        self.decoder = nn.ModuleList(
            _block(dims, 2 * w, w, k) for w, k in zip(widths[:-1], self.kernels[:-1], strict=True)
        )
        self.head: nn.Module = _CONV[dims](widths[0], out_channels, 1)

    @property
    def stride(self) -> tuple[int, ...]:
        """Product of the pooling steps along each axis."""
        return tuple(math.prod(s) for s in zip(*self.strides, strict=True)) or (1,) * len(self.kernels[0])

    @property
    def halo(self) -> tuple[int, ...]:
        """Exact reach of the network along each axis, found by interval arithmetic."""
        return tuple(self._reach(axis) for axis in range(len(self.kernels[0])))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(N, K, *space)``."""
        return self._decode(self._encode(x))

    def halfway(self, x: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        """Return the activations of the coarsest level, and what runs the decoder: more than half of the work."""
        levels = self._encode(x)
        return levels[-1], partial(self._decode, levels)

    def _encode(self, x: Tensor) -> list[Tensor]:
        """Return the activations of each level, from fine to coarse."""
        if self.stretch:
            x = torch.asinh(x / self.stretch) / math.asinh(1 / self.stretch)
        levels: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else self.pools[level - 1](x))
            levels.append(x)
        return levels

    def _decode(self, levels: Sequence[Tensor]) -> Tensor:
        *skips, coarsest = levels
        x: Tensor = self.drop(coarsest)
        for up, block in zip(reversed(self.ups), reversed(self.decoder), strict=True):
            x = block(torch.cat((up(x), skips.pop()), dim=1))
        logits: Tensor = self.head(x)
        return logits

    def _reach(self, axis: int) -> int:
        period = self.stride[axis]
        # Pooling makes the reach depend on the position within one period: take the worst.
        m = self.head_margin
        spans = [(p, *self._decoder_input(axis, 0, p - m, p + m)) for p in range(period)]
        return max(max(p - low, high - p) for p, low, high in spans)

    def _decoder_input(self, axis: int, level: int, low: int, high: int) -> tuple[int, int]:
        if level == len(self.encoder) - 1:
            return self._encoder_input(axis, level, low, high)
        low, high = self._widened(axis, level, low, high)
        step = self.strides[level][axis]
        skip = self._encoder_input(axis, level, low, high)
        up = self._decoder_input(axis, level + 1, low // step, high // step)
        return min(skip[0], up[0]), max(skip[1], up[1])

    def _encoder_input(self, axis: int, level: int, low: int, high: int) -> tuple[int, int]:
        low, high = self._widened(axis, level, low, high)
        if level == 0:
            return low, high
        step = self.strides[level - 1][axis]
        return self._encoder_input(axis, level - 1, low * step, high * step + step - 1)

    def _widened(self, axis: int, level: int, low: int, high: int) -> tuple[int, int]:
        """Return the first and last pixel that a block looks at, for those that it makes."""
        margin = _CONVS_PER_BLOCK * (self.kernels[level][axis] // 2)
        return low - margin, high + margin


def _per_level(given: Sequence[Sequence[int]] | None, default: tuple[int, ...], n: int) -> tuple[tuple[int, ...], ...]:
    levels = tuple(tuple(g) for g in given) if given is not None else (default,) * n
    if len(levels) != n or any(len(level) != len(default) for level in levels):
        raise ValueError(f"{n} levels of {len(default)} numbers are needed, got {levels}")
    return levels


def _block(dims: int, inputs: int, outputs: int, kernel: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(_CONVS_PER_BLOCK):
        padding = tuple(k // 2 for k in kernel)
        convolution = _CONV[dims](inputs if i == 0 else outputs, outputs, tuple(kernel), padding=padding, bias=False)
        layers += [convolution, _NORM[dims](outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
