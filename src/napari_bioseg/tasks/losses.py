"""Losses of semantic segmentation, each on one-hot targets and a mask of the pixels that count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from napari_bioseg.core.registry import Registry

_SMOOTH = 1.0


@dataclass(frozen=True)
class Batch:
    """What a loss sees.

    Attributes
    ----------
    logits : Tensor
        Float ``(N, K, *space)``.
    truth : Tensor
        One-hot float ``(N, K, *space)``.
    mask : Tensor
        Float ``(N, 1, *space)``, 1 where the truth is known.
    softmax : bool
        Whether channels exclude each other (channel 0 is the background).
    """

    logits: Tensor
    truth: Tensor
    mask: Tensor
    softmax: bool

    @property
    def foreground(self) -> tuple[Tensor, Tensor]:
        """Probabilities and truth of the foreground channels, both masked."""
        p = self.logits.softmax(1)[:, 1:] if self.softmax else self.logits.sigmoid()
        truth = self.truth[:, 1:] if self.softmax else self.truth
        return p * self.mask, truth * self.mask


Loss = Callable[[Batch], Tensor]
LOSSES: Registry[Loss] = Registry("loss", "napari_bioseg.losses")


@LOSSES.register("bce")
def cross_entropy(batch: Batch) -> Tensor:
    """Mean (binary) cross-entropy over the pixels that count."""
    if batch.softmax:
        each = functional.cross_entropy(batch.logits, batch.truth, reduction="none")[:, None]
    else:
        each = functional.binary_cross_entropy_with_logits(batch.logits, batch.truth, reduction="none")
    return (each * batch.mask).sum() / (batch.mask.expand_as(each).sum() + 1e-6)


@LOSSES.register("dice")
def dice(batch: Batch) -> Tensor:
    """Soft Dice loss over the batch, mean over foreground classes (Milletari et al. 2016, arXiv:1606.04797)."""
    p, truth = batch.foreground
    axes = (0, *range(2, p.ndim))
    overlap, total = (p * truth).sum(axes), p.sum(axes) + truth.sum(axes)
    return (1 - (2 * overlap + _SMOOTH) / (total + _SMOOTH)).mean()


@LOSSES.register("dice_ce")
def dice_ce(batch: Batch) -> Tensor:
    """Sum of `dice` and `cross_entropy` (as in nnU-Net)."""
    return dice(batch) + cross_entropy(batch)


@LOSSES.register("cldice")
def cldice(batch: Batch) -> Tensor:
    """Soft centreline Dice: keeps thin structures connected (Shit et al. 2021, arXiv:2003.07311)."""
    p, truth = batch.foreground
    precision = ((soft_skeleton(p) * truth).sum() + _SMOOTH) / (soft_skeleton(p).sum() + _SMOOTH)
    skeleton = soft_skeleton(truth)
    recall = ((skeleton * p).sum() + _SMOOTH) / (skeleton.sum() + _SMOOTH)
    return 1 - 2 * precision * recall / (precision + recall)


def soft_skeleton(p: Tensor, steps: int = 5) -> Tensor:
    """Differentiable skeleton of ``(N, K, *space)`` by repeated opening (Shit et al. 2021, algorithm 1)."""
    skeleton = functional.relu(p - _open(p))
    for _ in range(steps):
        p = _erode(p)
        delta = functional.relu(p - _open(p))
        skeleton = skeleton + functional.relu(delta - skeleton * delta)
    return skeleton


def _erode(p: Tensor) -> Tensor:
    # A cross-shaped neighbourhood, as in the paper: one axis at a time, then the minimum.
    dims = p.ndim - 2
    pool = functional.max_pool2d if dims == 2 else functional.max_pool3d
    out = p
    for axis in range(dims):
        kernel = [3 if i == axis else 1 for i in range(dims)]
        out = torch.minimum(out, -pool(-p, kernel, stride=1, padding=[k // 2 for k in kernel]))
    return out


def _open(p: Tensor) -> Tensor:
    eroded = _erode(p)
    pool = functional.max_pool2d if p.ndim == 4 else functional.max_pool3d
    return pool(eroded, 3, stride=1, padding=1)


def weighted_loss(weights: dict[str, float]) -> Loss:
    """Return the weighted sum of named losses.

    Raises
    ------
    RecipeError
        No such loss.
    """
    parts = [(LOSSES.get(name), weight) for name, weight in weights.items()]

    def total(batch: Batch) -> Tensor:
        return torch.stack([weight * loss(batch) for loss, weight in parts]).sum()

    return total
