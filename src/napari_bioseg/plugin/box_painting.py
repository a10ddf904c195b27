"""What the rows of a layer of boxes say, and their colours. No Qt."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.plugin.box_state import NO_CANDIDATE, BoxState, Rows, column_of, state_of

MODEL, HAND = "model", "hand"
MODEL_COLOR = (1.0, 0.82, 0.4, 1.0)
HAND_COLOR = (0.34, 0.71, 0.91, 1.0)
HAND_HEX = "#57b5e8"
_HIDDEN = (0.0, 0.0, 0.0, 0.0)
LINE = 0.4
"""Width of an outline, of a pixel: vesicles are a few pixels wide."""


def row_features(
    boxes: Boxes, micrometres: tuple[float, float], kept: npt.NDArray[np.bool_], candidate: Rows
) -> dict[str, Any]:
    """Return the features of rows that show `boxes`; ``(N,)`` each.

    Parameters
    ----------
    boxes : Boxes
    micrometres : tuple of float
        Height and width of a pixel; NaN where not known.
    kept : ndarray of bool
        Which are shown.
    candidate : ndarray of int
        Their numbers among the candidates, or `NO_CANDIDATE`.
    """
    height, width = (boxes.size * micrometres).T
    return {
        "confidence": boxes.confidence,
        "frame": boxes.frame,
        "z": boxes.z,
        "height_um": height,
        "width_um": width,
        "source": np.where(boxes.hand, HAND, MODEL).astype(object),
        "kept": kept,
        "candidate": candidate,
    }


def micrometres_of(state: BoxState) -> tuple[float, float]:
    """Return height and width of a pixel in µm; NaN where not known."""
    y, x = (state.image.pixel_size(axis)[0] for axis in "YX")
    return (np.nan, np.nan) if y is None or x is None else (y, x)


def row_colors(hand: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the colour of each row, ``(N, 4)``: the model's or the hand's, and none where it is not kept."""
    shown = np.where(np.asarray(hand, bool)[:, None], HAND_COLOR, MODEL_COLOR)
    return np.where(kept[:, None], shown, _HIDDEN)


def paint_rows(layer: Any, rows: Rows, colors: npt.NDArray[np.float64]) -> None:
    """Give rows a colour each."""
    # Setting `edge_color` goes through all rows each time, and takes too long for a slider.
    own = getattr(layer, "__wrapped__", layer)  # a plugin's proxy warns of the private name
    own._data_view.update_edge_colors(rows, colors)
    layer.events.edge_color()


def write_rows(layer: Any, state: BoxState, rows: Rows, boxes: Boxes, candidates: Rows) -> None:
    """Say what rows show, and show them."""
    kept = np.ones(len(rows), bool)
    for name, values in row_features(boxes, micrometres_of(state), kept, candidates).items():
        column = column_of(layer, name).copy()
        column[rows] = values
        layer.features[name] = column
    paint_rows(layer, rows, row_colors(candidates == NO_CANDIDATE, kept))


def deselect_hidden(layer: Any) -> None:
    """Let go of rows that cannot be seen: napari finds them under the mouse all the same."""
    chosen = [i for i in layer.selected_data if i < len(layer.features)]
    if state_of(layer) is None or not chosen:
        return
    kept = column_of(layer, "kept")
    hidden = {i for i in chosen if not kept[i]}
    if hidden:
        layer.selected_data = set(chosen) - hidden
