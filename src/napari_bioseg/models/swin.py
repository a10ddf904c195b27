"""Transformer blocks whose attention is limited to windows: Liu et al., ICCV 2021 (arXiv:2103.14030)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

HEAD = 32
"""Channels of one head of attention."""

_EXPANSION = 4  # of the perceptron of a block


class SwinBlock(nn.Module):
    """Attention within windows and a perceptron, both after normalisation and around a short cut.

    Parameters
    ----------
    width : int
        Channels, a multiple of 32.
    window : int
        Edge of a window.
    shift : int
        By how much the windows are moved up and left; those that reach beyond the image hold what is inside alone.
    drop_path : float
    """

    def __init__(self, width: int, window: int, shift: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.window, self.shift, self.drop_path = window, shift, drop_path
        self.attention_norm, self.attention = nn.LayerNorm(width), WindowAttention(width, window)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, _EXPANSION * width),
            nn.GELU(),
            nn.Linear(_EXPANSION * width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features ``(N, Y, X, C)`` of features whose sides are multiples of the window."""
        x = x + self._kept(self._attended(self.attention_norm(x)))
        return x + self._kept(self.perceptron(x))

    def _attended(self, x: Tensor) -> Tensor:
        if not self.shift:
            return _joined(self.attention(_windows(x, self.window)), x, self.window)
        # Rolled, the windows of the borders hold what lies at opposite ends of the image, which is kept apart.
        rolled = x.roll((-self.shift, -self.shift), (1, 2))
        ends = [torch.arange(n, device=x.device) >= n - self.shift for n in x.shape[1:3]]
        side = (2 * ends[0][:, None] + ends[1])[None, ..., None]
        side = _windows(side, self.window)[0, ..., 0]
        found = self.attention(_windows(rolled, self.window), side[:, :, None] == side[:, None])
        return _joined(found, x, self.window).roll((self.shift, self.shift), (1, 2))

    def _kept(self, change: Tensor) -> Tensor:
        if not (self.training and self.drop_path):
            return change
        kept = torch.rand(len(change), 1, 1, 1, device=change.device) >= self.drop_path
        return change * kept / (1 - self.drop_path)


class WindowAttention(nn.Module):
    """Attention of several heads among the pixels of a window, with a learnt bias for each way from one to another."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.heads = width // HEAD
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(self.heads, (2 * window - 1) ** 2))
        place = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        way = place[:, :, None] - place[:, None] + window - 1
        self.register_buffer("way", way[0] * (2 * window - 1) + way[1], persistent=False)
        self.way: Tensor
        nn.init.trunc_normal_(self.bias, std=0.02)

    def forward(self, x: Tensor, together: Tensor | None = None) -> Tensor:
        """Return features of ``(N, windows, pixels, C)``.

        `together` is bool ``(windows, pixels, pixels)``: which pixels may look at which; None: each at all.
        """
        q, k, v = self.project(x).unflatten(-1, (3, self.heads, HEAD)).permute(3, 0, 1, 4, 2, 5)
        bias = self.bias[:, self.way]
        if together is not None:
            bias = torch.where(together[:, None], bias, -torch.inf)
        found = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        result: Tensor = self.out(found.transpose(2, 3).flatten(3))
        return result


def _windows(x: Tensor, window: int) -> Tensor:
    """Return ``(N, windows, pixels, C)`` of ``(N, Y, X, C)``."""
    n, height, width, channels = x.shape
    parts = x.reshape(n, height // window, window, width // window, window, channels)
    return parts.transpose(2, 3).reshape(n, -1, window * window, channels)


def _joined(windows: Tensor, like: Tensor, window: int) -> Tensor:
    """Undo `_windows`."""
    n, height, width, channels = like.shape
    parts = windows.reshape(n, height // window, width // window, window, window, channels)
    return parts.transpose(2, 3).reshape(n, height, width, channels)
