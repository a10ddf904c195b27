"""Swin-UNet in 2-D: a U-Net whose coarse levels are transformers with shifted windows.

Liu et al., ICCV 2021 (arXiv:2103.14030) and Cao et al., ECCV workshops 2022 (arXiv:2105.05537). The finest levels keep
the convolutions of a U-Net instead of patches of 4 x 4 pixels: few images do not suffice to learn outlines otherwise
(early convolutions: Xiao et al., NeurIPS 2021, arXiv:2106.14881).

Exact under tiling: windows lie on a grid that is anchored to the pixels of the image, since tiles start at multiples of
`SwinUNet.stride`, and two blocks reach no further than the windows that they touch, which `SwinUNet.halo` counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from napari_bioseg.models.registry import ARCHITECTURES
from napari_bioseg.models.swin import HEAD, SwinBlock
from napari_bioseg.models.unet import UNet


@ARCHITECTURES.register("swin_unet")
class SwinUNet(UNet):
    """Convolutions at the fine levels, windowed attention at the coarse ones.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels of the image and of the logits.
    widths : sequence of int
        Feature channels of each level, from fine to coarse; each has half the resolution of the one before.
    windows : sequence of int
        Edge of a window at each of the coarsest levels, in pixels of that level; the levels before them are
        convolutions. The widths of the coarsest are multiples of 32.
    depth : int
        Blocks of a level on the way down, and again on the way up; every second one has shifted windows.
    drop_path : float
        Share of the samples of which a block is left out in training (stochastic depth: Huang et al., ECCV 2016).
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 1,
        widths: Sequence[int] = (16, 32, 64, 128, 256),
        windows: Sequence[int] = (8, 8, 4),
        depth: int = 2,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__(dims=2, in_channels=in_channels, out_channels=out_channels, widths=widths)
        fine = len(widths) - len(windows)
        if fine < 1 or any(width % HEAD for width in widths[fine:]):
            raise ValueError(f"windows must be fewer than widths, and the widths of their levels multiples of {HEAD}")
        self.windows = dict(enumerate(windows, start=fine))
        self.depth = depth
        for level, window in self.windows.items():
            finer, width = widths[level - 1], widths[level]
            self.pools[level - 1] = _Merge(finer, width)
            self.ups[level - 1] = _Expand(width, finer)
            self.encoder[level] = _Stage(width, width, window, depth, drop_path)
            if level < len(widths) - 1:
                self.decoder[level] = _Stage(2 * width, width, window, depth, drop_path)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)

    @property
    def stride(self) -> tuple[int, ...]:
        """Edge, in pixels of the image, of the squares on whose corners the windows of all levels meet."""
        return (math.lcm(*(window << level for level, window in self.windows.items())),) * 2

    def _widened(self, axis: int, level: int, low: int, high: int) -> tuple[int, int]:
        if level not in self.windows:
            return super()._widened(axis, level, low, high)
        window = self.windows[level]
        for block in reversed(range(self.depth)):
            shift = block % 2 * (window // 2)
            low = (low - shift) // window * window + shift
            high = (high - shift) // window * window + shift + window - 1
        return low, high


class _Stage(nn.Module):
    """Blocks of one level, ``(N, C, Y, X)`` to ``(N, width, Y, X)``."""

    def __init__(self, inputs: int, width: int, window: int, depth: int, drop_path: float) -> None:
        super().__init__()
        self.enter = nn.Identity() if inputs == width else nn.Linear(inputs, width)
        shifts = [i % 2 * (window // 2) for i in range(depth)]
        self.blocks = nn.Sequential(*(SwinBlock(width, window, shift, drop_path) for shift in shifts))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.blocks(self.enter(x.permute(0, 2, 3, 1)))
        return found.permute(0, 3, 1, 2)


class _Merge(nn.Module):
    """Patch merging: squares of 2 x 2 pixels become one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * inputs), nn.Linear(4 * inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        merged = functional.pixel_unshuffle(x, 2).permute(0, 2, 3, 1)
        reduced: Tensor = self.reduce(self.norm(merged))
        return reduced.permute(0, 3, 1, 2)


class _Expand(nn.Module):
    """Patch expanding: each pixel becomes a square of 2 x 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.widen, self.norm = nn.Linear(inputs, 4 * outputs, bias=False), nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        squares = self.widen(x.permute(0, 2, 3, 1)).view(n, height, width, 2, 2, -1)
        expanded: Tensor = self.norm(squares.permute(0, 1, 3, 2, 4, 5).reshape(n, 2 * height, 2 * width, -1))
        return expanded.permute(0, 3, 1, 2)
