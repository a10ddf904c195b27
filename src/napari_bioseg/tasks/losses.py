"""Losses of semantic segmentation, each on one-hot targets and how much each pixel counts.

A pixel of weight 0, whose truth is not known, changes neither a loss nor its gradient. A weight above 1 makes a pixel
count as if there were more of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from napari_bioseg.core.registry import Registry

_SMOOTH = 1.0
_FOCUS = 2  # exponent of Lin et al.
_FALSE, _MISSED = 0.3, 0.7  # what false and missed pixels count in Salehi et al.


@dataclass(frozen=True)
class Batch:
    """What a loss sees.

    Attributes
    ----------
    logits : Tensor
        Float ``(N, K, *space)``.
    truth : Tensor
        One-hot float ``(N, K, *space)``.
    weight : Tensor
        Float ``(N, 1, *space)``, how much each pixel counts: 0 where the truth is not known, else 1 or more.
    softmax : bool
        Whether channels exclude each other (channel 0 is the background).
    """

    logits: Tensor
    truth: Tensor
    weight: Tensor
    softmax: bool

    @property
    def foreground(self) -> tuple[Tensor, Tensor]:
        """Probabilities and truth of the foreground channels, both 0 where the truth is not known."""
        p = self.logits.softmax(1)[:, 1:] if self.softmax else self.logits.sigmoid()
        truth = self.truth[:, 1:] if self.softmax else self.truth
        known = (self.weight > 0).to(p.dtype)
        return p * known, truth * known


Loss = Callable[[Batch], Tensor]
LOSSES: Registry[Loss] = Registry("loss", "napari_bioseg.losses")


@LOSSES.register("bce")
def cross_entropy(batch: Batch) -> Tensor:
    """Mean (binary) cross-entropy over the known pixels, weighted; 0 when none is known."""
    return weighted_mean(_cross_entropies(batch), batch.weight)


@LOSSES.register("focal")
def focal(batch: Batch) -> Tensor:
    """Cross-entropy in which pixels count the less, the better they are told (Lin et al., ICCV 2017, arXiv:1708.02002).

    Each is multiplied by ``(1 - p)**2``, with `p` the probability of the true class; classes are not balanced (no
    alpha). The mean is over the known pixels, weighted, as for `cross_entropy`.
    """
    each = _cross_entropies(batch)
    return weighted_mean((1 - torch.exp(-each)) ** _FOCUS * each, batch.weight)


def _cross_entropies(batch: Batch) -> Tensor:
    """Return those of each pixel: ``(N, 1, *space)`` with softmax, else ``(N, K, *space)``."""
    if batch.softmax:
        return functional.cross_entropy(batch.logits, batch.truth, reduction="none")[:, None]
    return functional.binary_cross_entropy_with_logits(batch.logits, batch.truth, reduction="none")


def weighted_mean(each: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over the known pixels; 0 when none is known."""
    # No weight lies between 0 and 1, so that the mean is exact wherever a pixel is known.
    return (each * weight).sum() / weight.expand_as(each).sum().clamp(min=1)


@LOSSES.register("dice")
def dice(batch: Batch) -> Tensor:
    """Soft Dice loss over the batch, mean over foreground classes (Milletari et al. 2016, arXiv:1606.04797).

    All its sums are over the known pixels, weighted.
    """
    p, truth = batch.foreground
    axes = (0, *range(2, p.ndim))
    overlap = (p * truth * batch.weight).sum(axes)
    total = (p * batch.weight).sum(axes) + (truth * batch.weight).sum(axes)
    return (1 - (2 * overlap + _SMOOTH) / (total + _SMOOTH)).mean()


@LOSSES.register("tversky")
def tversky(batch: Batch) -> Tensor:
    """As `dice`, but missed pixels count 0.7 and false ones 0.3 (Salehi et al. 2017, arXiv:1706.05721)."""
    p, truth = batch.foreground
    axes = (0, *range(2, p.ndim))
    overlap, false, missed = ((x * batch.weight).sum(axes) for x in (p * truth, p * (1 - truth), (1 - p) * truth))
    return (1 - (overlap + _SMOOTH) / (overlap + _FALSE * false + _MISSED * missed + _SMOOTH)).mean()


@LOSSES.register("dice_ce")
def dice_ce(batch: Batch) -> Tensor:
    """Sum of `dice` and `cross_entropy` (as in nnU-Net)."""
    return dice(batch) + cross_entropy(batch)


@LOSSES.register("cldice")
def cldice(batch: Batch) -> Tensor:
    """Soft centreline Dice: keeps thin structures connected (Shit et al. 2021, arXiv:2003.07311).

    Prediction and truth are masked before their skeletons are taken, so that what is not known is background to both:
    a structure that leaves the known pixels ends there, in both alike. The sums are weighted.
    """
    p, truth = batch.foreground
    centre = soft_skeleton(p) * batch.weight
    precision = ((centre * truth).sum() + _SMOOTH) / (centre.sum() + _SMOOTH)
    skeleton = soft_skeleton(truth) * batch.weight
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


def weighing(loss: Loss, weight: Tensor) -> Loss:
    """Return a loss to which pixels count as `weight` ``(N, *space)`` says, besides what it is told itself."""
    return lambda batch: loss(replace(batch, weight=batch.weight * weight[:, None]))


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
