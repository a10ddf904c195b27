"""Detection: each object is a box around its centre, found at every pixel without anchors.

The network gives five maps of the size of the image: how likely a pixel is the centre of an object, and from there
the offset of the centre and the sides of the box. Objects as points and the focal loss of their map follow CenterNet
(Zhou, Wang and Krähenbühl, arXiv:1904.07850) and CornerNet (Law and Deng, ECCV 2018); the boxes learn by their overlap
with the true ones and the distance of the centres (DIoU: Zheng et al., AAAI 2020). All five maps pass a sigmoid, so
that the engine treats them as it treats any probability.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from napari_bioseg.core.boxes import Boxes, paired_iou
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.metrics import detection as metrics
from napari_bioseg.metrics.bootstrap import (
    Weighted,
    weighted_count_error,
    weighted_f1,
    weighted_f1_integral,
    weighted_precision,
)
from napari_bioseg.tasks.base import TASKS, Decision
from napari_bioseg.tasks.losses import LOSSES, Batch, Loss
from napari_bioseg.tasks.semantic import IGNORED

MAPS = 5
"""Centre, offset in y and x, height and width."""

OFFSET = 2.0
"""Pixels by which a centre may lie off the pixel that tells of it."""

SIDES = (1.0, 64.0)
"""Least and largest side of a box, pixels."""

_HEAT_SIGMA = 0.6  # pixels: two centres 1.5 pixels apart still have a dip between them
_FOCUS, _EASE = 2, 4  # exponents of CornerNet
_ALIKE = 0.8  # overlap from which neighbouring pixels tell of the same particle
_LEAST_BESIDE = 0.1  # confidence of a box beside a peak: those below are many, and hardly ever right

Pixels = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


def encode(boxes: Boxes, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return what the network is to give for the boxes of one plane.

    Parameters
    ----------
    boxes : Boxes
        Of one plane.
    shape : tuple of int
        ``(Y, X)``.

    Returns
    -------
    ndarray of float32
        ``(6, Y, X)``: the map of centres; 1 where a box is told, next to its centre; and there, its four numbers, all
        in 0..1.
    """
    maps = np.zeros((6, *shape), np.float32)
    around = np.stack(np.meshgrid(*(np.arange(-2, 3),) * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    pixel = (np.rint(boxes.centre).astype(int)[:, None] + around).reshape(-1, 2)
    box = np.repeat(np.arange(len(boxes)), len(around))
    inside = np.all((pixel >= 0) & (pixel < shape), axis=1)
    pixel, box = pixel[inside], box[inside]
    square = ((pixel - boxes.centre[box]) ** 2).sum(axis=1)
    np.maximum.at(maps[0], tuple(pixel.T), np.exp(-square / (2 * _HEAT_SIGMA**2)).astype(np.float32))
    # Written from far to near, so that each pixel tells of the nearest centre, and of the first of equally near ones.
    near = np.flatnonzero(np.tile(np.abs(around).max(axis=1) <= 1, len(boxes))[inside])
    near = near[np.lexsort((-box[near], -square[near]))]
    y, x = pixel[near].T
    offset, side = _offset_to_unit(boxes.centre[box[near]] - pixel[near]), _side_to_unit(boxes.size[box[near]])
    maps[1:, y, x] = np.stack((np.ones(len(near)), *offset.T, *side.T))
    middles = np.rint(boxes.centre).astype(int)
    inside = np.all((middles >= 0) & (middles < shape), axis=1)
    maps[0, middles[inside, 0], middles[inside, 1]] = 1
    return maps


def decode(
    maps: npt.NDArray[Any],
    least: float,
    *,
    factor: tuple[float, float] = (1.0, 1.0),
    rows: slice | None = None,
    frame: int = 0,
    z: int = 0,
) -> Boxes:
    """Return the boxes that the maps tell, from the pixels that tell of a particle of their own.

    Each pixel tells a box, and the pixels around a centre tell nearly the same one. A peak of the map of centres has a
    box of its own; so has a pixel beside it, unless one of its eight neighbours is surer and tells nearly the same. Of
    two particles that the map of centres runs into one, the pixels on either side still tell each its own.

    Parameters
    ----------
    maps : ndarray
        ``(5, Y, X)`` in 0..1, as the engine gives them.
    least : float
        Height of the map of centres that is needed; it is the confidence of the box. Beside a peak, 0.1 at least.
    factor : tuple of float
        Size of the network's pixels in y and x, in pixels of `maps`.
    rows : slice, optional
        Rows whose boxes are wanted; those beside them only decide which pixels have one of their own.
    frame, z : int
        Where the plane lies.
    """
    heat = np.asarray(maps[0], np.float32)
    peaks = heat == ndimage.maximum_filter(heat, 3)
    wanted = np.zeros_like(peaks)
    wanted[rows or slice(None)] = True
    least = max(least, 1e-3)
    pixel = np.argwhere(wanted & (heat >= np.where(peaks, least, max(least, _LEAST_BESIDE))))
    pixel = pixel[peaks[tuple(pixel.T)] | ~_echoes(maps, heat, pixel, factor)]
    return Boxes.of(*_told(maps, pixel, factor), frame=frame, z=z, confidence=heat[tuple(pixel.T)])


def _echoes(
    maps: npt.NDArray[Any], heat: npt.NDArray[np.float32], pixel: Pixels, factor: tuple[float, float]
) -> npt.NDArray[np.bool_]:
    """Return which pixels tell nearly the same box as a surer neighbour."""
    echo = np.zeros(len(pixel), bool)
    for step in np.argwhere(np.ones((3, 3))) - 1:
        near = pixel + step
        at = np.flatnonzero(np.all((near >= 0) & (near < heat.shape), axis=1))
        at = at[heat[tuple(near[at].T)] > heat[tuple(pixel[at].T)]]
        own, other = (Boxes.of(*_told(maps, p[at], factor)) for p in (pixel, near))
        echo[at] |= paired_iou(own, other) > _ALIKE
    return echo


def _told(maps: npt.NDArray[Any], pixel: Pixels, factor: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return centres and sides, ``(N, 2)`` each, of the boxes that pixels tell."""
    values = np.asarray(maps[1:, *pixel.T], np.float64)
    centre = pixel + (values[:2].T - 0.5) * 2 * OFFSET * factor
    low, high = np.log(SIDES)
    return centre, np.exp(low + values[2:].T * (high - low)) * factor


def _offset_to_unit(offset: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(np.clip(offset / (2 * OFFSET) + 0.5, 0, 1))


def _side_to_unit(side: npt.NDArray[Any]) -> npt.NDArray[Any]:
    low, high = np.log(SIDES)
    return np.asarray((np.log(np.clip(side, *SIDES)) - low) / (high - low))


@LOSSES.register("centres")
def centre_loss(batch: Batch) -> Tensor:
    """Focal loss of the map of centres, an object: nearly right pixels beside a centre count little."""
    logits, truth = batch.logits[:, 0], batch.truth[:, 0]
    p = logits.sigmoid()
    right = (truth == 1).to(logits.dtype)
    found = (1 - p) ** _FOCUS * functional.logsigmoid(logits) * right
    empty = (1 - truth) ** _EASE * p**_FOCUS * functional.logsigmoid(-logits) * (1 - right)
    known = batch.weight[:, 0] > 0
    return -(found + empty)[known].sum() / right.sum().clamp(min=1)


@LOSSES.register("boxes")
def box_loss(batch: Batch) -> Tensor:
    """Distance-IoU loss of the boxes that are told, each by the pixels around its centre."""
    told = batch.truth[:, 1] > 0
    if not bool(told.any()):
        return batch.logits.sum() * 0
    ours = _corners(batch.logits[:, 1:].sigmoid().permute(0, 2, 3, 1)[told])
    true = _corners(batch.truth[:, 2:].permute(0, 2, 3, 1)[told])
    low, high = torch.maximum(ours[:, :2], true[:, :2]), torch.minimum(ours[:, 2:], true[:, 2:])
    common = (high - low).clamp(min=0).prod(dim=1)
    areas = [(b[:, 2:] - b[:, :2]).prod(dim=1) for b in (ours, true)]
    iou = common / (areas[0] + areas[1] - common)
    hull = torch.maximum(ours[:, 2:], true[:, 2:]) - torch.minimum(ours[:, :2], true[:, :2])
    apart = (ours[:, :2] + ours[:, 2:] - true[:, :2] - true[:, 2:]) / 2
    return (1 - iou + (apart**2).sum(dim=1) / (hull**2).sum(dim=1)).mean()


def _corners(units: Tensor) -> Tensor:
    low, high = (float(v) for v in np.log(SIDES))
    centre = (units[:, :2] - 0.5) * 2 * OFFSET
    half = torch.exp(low + units[:, 2:] * (high - low)) / 2
    return torch.cat((centre - half, centre + half), dim=1)


RADIUS = 2.0
"""Pixels within which a centre counts as found, for ``f1``."""

SCORES: dict[str, Callable[[Boxes, Boxes], float]] = {
    "map50": lambda found, truth: metrics.precision_recall(found, truth).average_precision,
    "map": metrics.mean_average_precision,
    "f1": lambda found, truth: metrics.f1_at(found, truth, RADIUS),
    "f1_integral": metrics.f1_integral,
    "count_error": metrics.count_error,
}
"""Of found boxes against the true ones."""

WEIGHTED: dict[str, Callable[[Boxes, Boxes], Weighted]] = {
    "map50": lambda found, truth: weighted_precision(found, truth, (0.5,)),
    "map": weighted_precision,
    "f1": lambda found, truth: weighted_f1(found, truth, RADIUS),
    "f1_integral": weighted_f1_integral,
    "count_error": weighted_count_error,
}
"""The same scores with frames that count more than once, for their intervals."""

RANKED = ("map50", "map")
"""Scores that go through all confidences."""


class DetectionTask:
    """Boxes of one class."""

    def channels(self, classes: tuple[int, ...], activation: str, cores: bool = False) -> int:  # noqa: ARG002
        """Return how many channels the network must give, the same for any classes."""
        return MAPS

    def loss(
        self,
        logits: Tensor,
        target: Tensor,
        loss: Loss,
        activation: str,  # noqa: ARG002
        cores: bool = False,  # noqa: ARG002
    ) -> Tensor:
        """Return the loss of ``(N, 5, Y, X)`` logits against the ``(N, 6, Y, X)`` of `encode`, -1 where not known."""
        known = (target[:, :1] != IGNORED).to(logits.dtype)
        return loss(Batch(logits, target, known, softmax=False))

    def score(self, metric: str, probabilities: npt.NDArray[Any], target: Any, decision: Decision) -> float:
        """Return one figure for ``(5, Z, Y, X)`` maps against the true boxes; ``Boxes.z`` tells the plane.

        Raises
        ------
        RecipeError
            No such metric.
        """
        if metric not in SCORES:
            raise RecipeError(f"metric {metric!r}", "does not exist", f"Choose one of: {', '.join(SCORES)}")
        least = 0.0 if metric in RANKED else decision.threshold
        found = Boxes.joined(decode(probabilities[:, z], least, z=z) for z in range(probabilities.shape[1]))
        return float(SCORES[metric](found, target))


TASKS.register("detection")(DetectionTask())
