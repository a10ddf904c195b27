"""The rows of a layer of boxes beside the boxes that a journal leaves."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.corrections.boxes_left import BoxesLeft, hand_boxes
from napari_bioseg.corrections.records import BoxRow
from napari_bioseg.plugin.box_layer import add_rows, remove_rows
from napari_bioseg.plugin.box_state import boxes_of, column_of


def rows_of(boxes: Boxes) -> list[BoxRow]:
    """Return boxes as plain numbers."""
    columns = (boxes.frame, boxes.z, *boxes.centre.T, *boxes.size.T)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def show_left(layer: Any, left: BoxesLeft) -> None:
    """Take away the rows of boxes that are not left, and add those that are and have none; the others stay as they are.

    Parameters
    ----------
    layer : napari.layers.Shapes
        Of ours.
    left : BoxesLeft
    """
    candidate = column_of(layer, "candidate")
    hand, missing, over = np.flatnonzero(candidate < 0), Counter(left.drawn.values()), []
    for row, box in zip(hand.tolist(), rows_of(boxes_of(layer, hand)), strict=True):
        if missing[box]:
            missing[box] -= 1
        else:
            over.append(row)
    here = np.isin(np.arange(len(left.there)), candidate)
    over += np.flatnonzero(np.isin(candidate, np.flatnonzero(here & ~left.there))).tolist()
    remove_rows(layer, np.array(over, np.int64))
    add_rows(layer, np.flatnonzero(left.there & ~here), hand_boxes(missing.elements()))


def is_drawing(layer: Any) -> bool:
    """Whether a box is being drawn, moved or resized: napari tells of it only in the end."""
    return bool(layer._is_creating or layer._is_moving)
