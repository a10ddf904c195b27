"""Boxes that follow sliders: confidence, overlap and size, without the network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from napari_bioseg.core.boxes import Boxes, iou_pairs
from napari_bioseg.core.options import Options

Mask = npt.NDArray[np.bool_]

LEAST_OVERLAP = 0.05
"""The least `BoxOptions.iou`: pairs that overlap less are never looked at."""


class BoxOptions(Options):
    """Which of the found boxes are kept; none of it runs the network again."""

    confidence: float | None = Field(
        None, ge=0, le=1, description="Boxes less sure than this are dropped; none: the model's own"
    )
    iou: float = Field(
        0.6,
        ge=LEAST_OVERLAP,
        le=1,
        description="Of two boxes that overlap more than this (intersection over union) the surer one is kept",
    )
    min_side: float = Field(0.0, ge=0, description="Boxes with a shorter side, in pixels, are dropped")
    max_side: float = Field(0.0, ge=0, description="Boxes with a longer side, in pixels, are dropped; 0: none")

    @model_validator(mode="after")
    def _sides(self) -> BoxOptions:
        if 0 < self.max_side < self.min_side:
            raise ValueError(f"max_side {self.max_side:g} is below min_side {self.min_side:g}")
        return self


class BoxSelector:
    """Raw boxes with the overlaps among them, so that a step of a slider costs milliseconds.

    The surest boxes are kept first, and each suppresses those that overlap it too much (greedy non-maximum
    suppression: Felzenszwalb et al., PAMI 32:1627, 2010). A box can only be suppressed by a surer one, so that the
    confidence is a plain threshold on what the suppression leaves, and overlaps are computed once.

    Parameters
    ----------
    boxes : Boxes
        All that the network told, of any confidence.
    """

    def __init__(self, boxes: Boxes) -> None:
        self.boxes = boxes
        order = np.argsort(-boxes.confidence, kind="stable")
        rank = np.empty(len(boxes), np.int64)
        rank[order] = np.arange(len(boxes))
        one, other, iou = iou_pairs(boxes, boxes, LEAST_OVERLAP)
        surer = np.flatnonzero(rank[one] < rank[other])
        surer = surer[np.argsort(rank[one[surer]], kind="stable")]
        self._pairs = one[surer], other[surer], iou[surer]

    def keep(self, confidence: float, options: BoxOptions) -> Mask:
        """Return which boxes stay, ``(N,)``."""
        boxes = self.boxes
        sides = boxes.size
        fits = (boxes.confidence >= confidence) & (sides.min(axis=1, initial=np.inf) >= options.min_side)
        if options.max_side:
            fits &= sides.max(axis=1, initial=0) <= options.max_side
        one, other, iou = self._pairs
        close = (iou > options.iou) & fits[one] & fits[other]
        alive = fits.tolist()
        for a, b in zip(one[close].tolist(), other[close].tolist(), strict=True):
            if alive[a]:
                alive[b] = False
        return np.asarray(alive, bool)
