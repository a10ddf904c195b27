"""What a person does to a layer of boxes: rows that are drawn or changed become the hand's. No Qt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from weakref import WeakSet

import numpy as np

from napari_bioseg.plugin.box_painting import HAND_HEX, LINE, deselect_hidden, write_rows
from napari_bioseg.plugin.box_state import (
    NO_CANDIDATE,
    BoxState,
    Rows,
    boxes_from_shapes,
    boxes_of,
    column_of,
    kept_rows,
    our_state,
    shapes_at,
    state_of,
)
from napari_bioseg.plugin.layers import KEY

_followed: WeakSet[Any] = WeakSet()


def follow(layer: Any) -> None:
    """Follow what the person does to a layer of ours; also one that napari made anew, as a copy or from a file.

    What was done to it before counts, too: rows that lie elsewhere than their candidates are the hand's.
    """
    own = getattr(layer, "__wrapped__", layer)  # a plugin's proxy is not the layer
    if own in _followed:
        return
    _followed.add(own)
    state = our_state(own)  # a copy has one of its own from now on
    state = replace(state, checked=set(state.checked), rows=own.nshapes)
    own.metadata[KEY] = {**own.metadata[KEY], "boxes": state}
    moved = _moved(own, state)
    if len(moved):
        state.touched = True
        _claim(own, state, moved)
    own.current_edge_color, own.current_edge_width = HAND_HEX, LINE
    own.events.data.connect(_edited)
    own.events.features.connect(_grown)
    own.selected_data.events.items_changed.connect(lambda _event: deselect_hidden(own))
    _pick_shown_rows_only(own)


def _edited(event: Any) -> None:
    layer, action = event.source, str(getattr(event.action, "value", event.action))
    state = state_of(layer)
    if state is None or action not in ("added", "changed", "removed"):
        return
    state.touched = True
    if action == "added":  # the last row at least: it may have been known while it was drawn
        _claim(layer, state, np.arange(min(state.rows, layer.nshapes - 1), layer.nshapes))
    elif action == "changed":
        _claim(layer, state, np.array(sorted(event.data_indices), np.int64))
    state.rows = layer.nshapes
    state.edited.emit()


def _grown(event: Any) -> None:
    """Claim rows that are new: napari tells of several as of one, and of pasted ones only that there are features."""
    layer = event.source
    state = state_of(layer)
    if state is not None and layer.nshapes > state.rows:
        first, state.rows, state.touched = state.rows, layer.nshapes, True
        _claim(layer, state, np.arange(first, state.rows))
        if not layer._is_creating:  # else it is told once it is drawn
            state.edited.emit()


def _moved(layer: Any, state: BoxState) -> Rows:
    """Return the rows of candidates that lie elsewhere than these."""
    candidate = column_of(layer, "candidate")
    rows = np.flatnonzero(candidate != NO_CANDIDATE)
    now = boxes_from_shapes(shapes_at(layer, rows), state.axes)
    was = state.selector.boxes[candidate[rows]]
    same = (now.frame == was.frame) & (now.z == was.z) & np.isclose(now.corners, was.corners, atol=1e-4).all(axis=1)
    return np.asarray(rows[~same])


def _claim(layer: Any, state: BoxState, rows: Rows) -> None:
    """Make rows the hand's."""
    boxes = boxes_from_shapes(shapes_at(layer, rows), state.axes)
    write_rows(layer, state, rows, boxes, np.full(len(rows), NO_CANDIDATE))


def _pick_shown_rows_only(layer: Any) -> None:
    """Let the mouse find the smallest box that is shown; napari would find the topmost, seen or not.

    There is no public way to say which shapes the mouse may find.
    """
    plain = layer._get_value

    def pick(position: Any) -> tuple[int | None, int | None]:
        row, vertex = plain(position)
        flat = tuple(layer._slice_input.displayed) == (layer.ndim - 2, layer.ndim - 1)
        if row is None or vertex is not None or row in layer.selected_data or not flat:
            return row, vertex
        under = _rows_under(layer, position)
        return (int(under[0]) if len(under) else None), None

    layer._get_value = pick


def _rows_under(layer: Any, position: Any) -> Rows:
    rows = kept_rows(layer)
    rows = rows[np.isin(rows, list(layer._view_indices))]
    boxes = boxes_of(layer, rows)
    inside = (np.abs(np.asarray(position)[-2:] - boxes.centre) <= boxes.size / 2 + LINE).all(axis=1)
    order = np.argsort(boxes.size[inside].prod(axis=1), kind="stable")
    return np.asarray(rows[inside][order])
