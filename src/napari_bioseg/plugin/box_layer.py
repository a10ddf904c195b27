"""Boxes as a Shapes layer: every candidate of the network is a row, and thresholds only show or hide it.

napari takes half a second to build a layer of 5,000 rectangles, so that thresholds must not rebuild it. A layer holds
all that the network told from the start, and a step of a slider changes the colour of those rows alone that come or
go. What a person draws, moves or resizes is a row of the hand's: no threshold touches it, and a row that was deleted
is gone, since no row is ever made twice. No Qt, so a `ViewerModel` will do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.plugin.box_following import follow
from napari_bioseg.plugin.box_painting import (
    HAND_HEX,
    LINE,
    deselect_hidden,
    micrometres_of,
    paint_rows,
    row_colors,
    row_features,
    write_rows,
)
from napari_bioseg.plugin.box_state import (
    NO_CANDIDATE,
    BoxState,
    Rows,
    column_of,
    kept_by_thresholds,
    our_state,
    rectangles,
)
from napari_bioseg.plugin.layers import KEY, LayerData
from napari_bioseg.postprocess.boxes import BoxOptions

if TYPE_CHECKING:
    from napari.layers import Shapes


def box_layer(state: BoxState, drawn: Boxes | None = None, **places: Any) -> Shapes:
    """Make the layer; it takes a while for thousands of boxes, so do it outside the GUI thread.

    Parameters
    ----------
    state, drawn, **places
        As for `box_layer_data`.
    """
    from napari.layers import Shapes

    data, attributes, _ = box_layer_data(state, drawn, **places)
    layer = Shapes(data, **attributes)
    follow(layer)
    return layer


def box_layer_data(
    state: BoxState,
    drawn: Boxes | None = None,
    *,
    name: str,
    placement: dict[str, Any] | None = None,
    owner: str = "",
    shown: npt.NDArray[np.bool_] | None = None,
    there: npt.NDArray[np.bool_] | None = None,
) -> LayerData:
    """Return what napari makes the layer of.

    Parameters
    ----------
    state : BoxState
        With the candidates.
    drawn : Boxes, optional
        That a person made.
    name : str
        Of the layer.
    placement : dict, optional
        Scale, translation, units and axis labels, as of the image layer.
    owner : str
        Name of the image layer.
    shown : ndarray of bool, optional
        ``(N,)``, the candidates to show until a threshold is moved; those that the thresholds keep without it.
    there : ndarray of bool, optional
        ``(N,)``, the candidates that nobody deleted or changed.
    """
    found, drawn = state.selector.boxes, drawn or Boxes.none()
    rows = np.arange(len(found)) if there is None else np.flatnonzero(there)
    boxes = Boxes.joined([found[rows], drawn])
    kept = np.concatenate(((kept_by_thresholds(state) if shown is None else shown)[rows], np.ones(len(drawn), bool)))
    candidate = np.concatenate((rows, np.full(len(drawn), NO_CANDIDATE)))
    micrometres = micrometres_of(state)
    one = row_features(Boxes.of([[0, 0]], [[0, 0]], hand=True), micrometres, np.ones(1, bool), np.array([NO_CANDIDATE]))
    attributes: dict[str, Any] = {
        "shape_type": "rectangle",
        "ndim": len(state.axes),
        "name": name,
        "features": row_features(boxes, micrometres, kept, candidate),
        "feature_defaults": {column: values[0] for column, values in one.items()},
        "edge_color": row_colors(candidate == NO_CANDIDATE, kept) if len(boxes) else HAND_HEX,
        "face_color": "transparent",
        "edge_width": LINE,
        "opacity": 1.0,
        "metadata": {KEY: {"boxes": state, "provenance": state.provenance, "owner": owner}},
        **(placement or {}),
    }
    return rectangles(boxes, state.axes) if len(boxes) else None, attributes, "shapes"


def tune(layer: Any, options: BoxOptions) -> None:
    """Show the candidates that other thresholds keep; boxes of the hand's and checked frames stay as they are.

    Parameters
    ----------
    layer : napari.layers.Shapes
        Of ours.
    options : BoxOptions
    """
    state = our_state(layer)
    state.options = options
    candidate, kept = column_of(layer, "candidate"), column_of(layer, "kept").astype(bool)
    rows = np.flatnonzero((candidate != NO_CANDIDATE) & ~_in_checked(layer, state))
    wanted = kept.copy()
    wanted[rows] = kept_by_thresholds(state)[candidate[rows]]
    changed = np.flatnonzero(wanted != kept)
    if len(changed):
        layer.features["kept"] = wanted
        paint_rows(layer, changed, row_colors(candidate[changed] == NO_CANDIDATE, wanted[changed]))
        deselect_hidden(layer)


def check(layer: Any, place: tuple[int, int], on: bool) -> None:
    """Say that the boxes of a frame (and plane) are right as they are, or take it back.

    Parameters
    ----------
    layer : napari.layers.Shapes
        Of ours.
    place : tuple of int
        Frame and Z.
    on : bool
    """
    state = our_state(layer)
    if on:
        state.checked.add(place)
    else:
        state.checked.discard(place)
        tune(layer, state.options)
    state.edited.emit()


def remove_rows(layer: Any, rows: Rows) -> None:
    """Take rows away, as the key Delete does."""
    if len(rows):
        layer.selected_data = set(rows.tolist())
        layer.remove_selected()


def add_rows(layer: Any, candidates: Rows, drawn: Boxes) -> None:
    """Add candidates that were taken away, which are shown then, and boxes by hand.

    Parameters
    ----------
    layer : napari.layers.Shapes
        Of ours.
    candidates : ndarray of int
        Numbers of candidates that have no row.
    drawn : Boxes
    """
    state = our_state(layer)
    found = state.selector.boxes[candidates]
    if len(found) + len(drawn):
        first = layer.nshapes
        layer.add(rectangles(Boxes.joined([found, drawn]), state.axes), shape_type="rectangle")
        # napari has added them as if a hand had drawn them all
        write_rows(layer, state, np.arange(first, first + len(found)), found, candidates)


def _in_checked(layer: Any, state: BoxState) -> npt.NDArray[np.bool_]:
    pairs = zip(column_of(layer, "frame").tolist(), column_of(layer, "z").tolist(), strict=True)
    return np.array([pair in state.checked for pair in pairs], bool)
