"""Boxes as a Shapes layer: every candidate of the network is a row, and thresholds only show or hide it.

napari takes half a second to build a layer of 5,000 rectangles, so that thresholds must not rebuild it. A layer holds
all that the network told from the start, and a step of a slider changes the colour of those rows alone that come or
go. What a person draws, moves or resizes is a row of the hand's: no threshold touches it, and a row that was deleted
is gone, since no row is ever made twice. No Qt, so a `ViewerModel` will do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image
from napari_bioseg.plugin.layers import KEY, LayerData
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector

if TYPE_CHECKING:
    from napari.layers import Shapes

Rows = npt.NDArray[np.int64]

MODEL, HAND = "model", "hand"
MODEL_COLOR = (1.0, 0.82, 0.4, 1.0)
HAND_COLOR = (0.34, 0.71, 0.91, 1.0)
_HAND_HEX = "#57b5e8"
_HIDDEN = (0.0, 0.0, 0.0, 0.0)
_NONE = -1  # no candidate: drawn by hand
_LINE = 0.4  # of a pixel: vesicles are a few pixels wide

_followed: WeakSet[Any] = WeakSet()


@dataclass
class BoxState:
    """What a layer of boxes knows beside its rectangles.

    Attributes
    ----------
    selector : BoxSelector
        The candidates; the feature ``candidate`` of a row counts among them.
    options : BoxOptions
        The thresholds that the layer shows.
    own_confidence : float
        Of the model: what counts while the options give none.
    image : Image
        What the boxes are on.
    axes : str
        Of the layer, e.g. ``TYX``.
    provenance : dict
        Model and options that found them; empty for boxes from elsewhere.
    checked : set of tuple of int
        Frame and plane of those that the person says are right: no threshold changes them.
    done : bool
        False when the detection was cancelled.
    touched : bool
        Whether a person changed anything.
    rows : int
        How many the layer had after the last change.
    """

    edited = Signal()  # boxes were drawn, changed or deleted, or a frame was checked or is no longer
    selector: BoxSelector
    options: BoxOptions
    own_confidence: float
    image: Image
    axes: str
    provenance: dict[str, Any] = field(default_factory=dict)
    checked: set[tuple[int, int]] = field(default_factory=set)
    done: bool = True
    touched: bool = False
    rows: int = 0

    @property
    def confidence(self) -> float:
        """The threshold that counts."""
        return self.own_confidence if self.options.confidence is None else self.options.confidence


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
    kept = np.concatenate(((_keep(state) if shown is None else shown)[rows], np.ones(len(drawn), bool)))
    candidate = np.concatenate((rows, np.full(len(drawn), _NONE)))
    micrometres = _micrometres(state)
    one = _features(Boxes.of([[0, 0]], [[0, 0]], hand=True), micrometres, np.ones(1, bool), np.array([_NONE]))
    attributes: dict[str, Any] = {
        "shape_type": "rectangle",
        "ndim": len(state.axes),
        "name": name,
        "features": _features(boxes, micrometres, kept, candidate),
        "feature_defaults": {column: values[0] for column, values in one.items()},
        "edge_color": _colors(candidate == _NONE, kept) if len(boxes) else _HAND_HEX,
        "face_color": "transparent",
        "edge_width": _LINE,
        "opacity": 1.0,
        "metadata": {KEY: {"boxes": state, "provenance": state.provenance, "owner": owner}},
        **(placement or {}),
    }
    return rectangles(boxes, state.axes) if len(boxes) else None, attributes, "shapes"


def follow(layer: Any) -> None:
    """Follow what the person does to a layer of ours; also one that napari made anew, as a copy or from a file.

    What was done to it before counts, too: rows that lie elsewhere than their candidates are the hand's.
    """
    own = getattr(layer, "__wrapped__", layer)  # a plugin's proxy is not the layer
    if own in _followed:
        return
    _followed.add(own)
    state = _state(own)  # a copy has one of its own from now on
    state = replace(state, checked=set(state.checked), rows=own.nshapes)
    own.metadata[KEY] = {**own.metadata[KEY], "boxes": state}
    moved = _moved(own, state)
    if len(moved):
        state.touched = True
        _claim(own, state, moved)
    own.current_edge_color, own.current_edge_width = _HAND_HEX, _LINE
    own.events.data.connect(_edited)
    own.events.features.connect(_grown)
    own.selected_data.events.items_changed.connect(lambda _event: _deselect_hidden(own))
    _pick_shown_rows_only(own)


def state_of(layer: Any) -> BoxState | None:
    """Return what we know of a layer of boxes; None for layers that are not ours."""
    own = layer.metadata.get(KEY)
    found = own.get("boxes") if isinstance(own, dict) else None
    return found if isinstance(found, BoxState) else None


def tune(layer: Any, options: BoxOptions) -> None:
    """Show the candidates that other thresholds keep; boxes of the hand's and checked frames stay as they are.

    Parameters
    ----------
    layer : napari.layers.Shapes
        Of ours.
    options : BoxOptions
    """
    state = _state(layer)
    state.options = options
    candidate, kept = column_of(layer, "candidate"), column_of(layer, "kept").astype(bool)
    rows = np.flatnonzero((candidate != _NONE) & ~_in_checked(layer, state))
    wanted = kept.copy()
    wanted[rows] = _keep(state)[candidate[rows]]
    changed = np.flatnonzero(wanted != kept)
    if len(changed):
        layer.features["kept"] = wanted
        _paint(layer, changed, _colors(candidate[changed] == _NONE, wanted[changed]))
        _deselect_hidden(layer)


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
    state = _state(layer)
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
    state = _state(layer)
    found = state.selector.boxes[candidates]
    if len(found) + len(drawn):
        first = layer.nshapes
        layer.add(rectangles(Boxes.joined([found, drawn]), state.axes), shape_type="rectangle")
        # napari has added them as if a hand had drawn them all
        _write(layer, state, np.arange(first, first + len(found)), found, candidates)


def kept_rows(layer: Any) -> Rows:
    """Return the rows that are shown."""
    return np.flatnonzero(column_of(layer, "kept").astype(bool))


def boxes_of(layer: Any, rows: Rows | None = None) -> Boxes:
    """Return the boxes of a layer of ours, those that are shown or those at `rows`, in the order of its rows."""
    state = _state(layer)
    rows = kept_rows(layer) if rows is None else np.asarray(rows, np.int64)
    candidate = column_of(layer, "candidate")[rows]
    found = state.selector.boxes[np.where(candidate == _NONE, 0, candidate)] if len(state.selector.boxes) else None
    drawn = np.flatnonzero(candidate == _NONE)
    ours = boxes_from_shapes(_shapes(layer, rows[drawn]), state.axes)
    if found is None:
        return ours
    for name in ("frame", "z", "centre", "size", "confidence", "hand"):
        getattr(found, name)[drawn] = getattr(ours, name)
    return found


def column_of(layer: Any, name: str) -> npt.NDArray[Any]:
    """Return a feature of all rows, ``(N,)``."""
    return np.asarray(layer.features[name].to_numpy())


def middle_of(layer: Any, row: int) -> npt.NDArray[np.float64]:
    """Return the centre of a row in pixels of its layer, ``(D,)``."""
    corners = np.asarray(layer.data[row], float)
    return np.asarray((corners.min(axis=0) + corners.max(axis=0)) / 2)


def unfiltered(state: BoxState) -> Boxes:
    """Return the candidates that any confidence can show, at the other thresholds of now."""
    return state.selector.boxes[state.selector.keep(0.0, state.options)]


def boxes_at(boxes: Boxes, places: Iterable[tuple[int, int]]) -> Boxes:
    """Return the boxes that lie in some frames (and planes)."""
    return boxes[_among(boxes, places)]


def rectangles(boxes: Boxes, axes: str) -> npt.NDArray[np.float64]:
    """Return the corners of boxes, ``(N, 4, D)``, in pixels along `axes`."""
    low, high = boxes.corners[:, :2], boxes.corners[:, 2:]
    corners = np.zeros((len(boxes), 4, len(axes)))
    for i, axis in enumerate(axes[:-2]):
        corners[:, :, i] = (boxes.frame if axis == "T" else boxes.z)[:, None]
    corners[:, (0, 1), -2], corners[:, (2, 3), -2] = low[:, :1], high[:, :1]
    corners[:, (0, 3), -1], corners[:, (1, 2), -1] = low[:, 1:], high[:, 1:]
    return corners


def boxes_from_shapes(shapes: list[Any], axes: str) -> Boxes:
    """Return the boxes around shapes of any kind, as made by hand.

    Parameters
    ----------
    shapes : list of array
        Each ``(V, D)``, corners in pixels.
    axes : str
        Of the D columns; a missing T or Z is 0.
    """
    if not shapes:
        return Boxes.none()
    low = np.array([np.min(shape, axis=0) for shape in shapes], np.float64)  # napari's are of 32 bits, and theirs would
    high = np.array([np.max(shape, axis=0) for shape in shapes], np.float64)  # not make the same corners again
    place = {axis: np.rint(low[:, i]).astype(np.int64) for i, axis in enumerate(axes)}
    centre, size = (low[:, -2:] + high[:, -2:]) / 2, high[:, -2:] - low[:, -2:]
    return Boxes.of(centre, size, frame=place.get("T", 0), z=place.get("Z", 0), hand=True)


def _keep(state: BoxState) -> npt.NDArray[np.bool_]:
    return state.selector.keep(state.confidence, state.options)


def _features(
    boxes: Boxes, micrometres: tuple[float, float], kept: npt.NDArray[np.bool_], candidate: Rows
) -> dict[str, Any]:
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


def _micrometres(state: BoxState) -> tuple[float, float]:
    y, x = (state.image.pixel_size(axis)[0] for axis in "YX")
    return (np.nan, np.nan) if y is None or x is None else (y, x)


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
    rows = np.flatnonzero(candidate != _NONE)
    now = boxes_from_shapes(_shapes(layer, rows), state.axes)
    was = state.selector.boxes[candidate[rows]]
    same = (now.frame == was.frame) & (now.z == was.z) & np.isclose(now.corners, was.corners, atol=1e-4).all(axis=1)
    return np.asarray(rows[~same])


def _shapes(layer: Any, rows: Rows) -> list[Any]:
    data = layer.data  # made anew at each look
    return [data[i] for i in rows]


def _claim(layer: Any, state: BoxState, rows: Rows) -> None:
    """Make rows the hand's."""
    boxes = boxes_from_shapes(_shapes(layer, rows), state.axes)
    _write(layer, state, rows, boxes, np.full(len(rows), _NONE))


def _write(layer: Any, state: BoxState, rows: Rows, boxes: Boxes, candidates: Rows) -> None:
    """Say what rows show, and show them."""
    kept = np.ones(len(rows), bool)
    for name, values in _features(boxes, _micrometres(state), kept, candidates).items():
        column = column_of(layer, name).copy()
        column[rows] = values
        layer.features[name] = column
    _paint(layer, rows, _colors(candidates == _NONE, kept))


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
    inside = (np.abs(np.asarray(position)[-2:] - boxes.centre) <= boxes.size / 2 + _LINE).all(axis=1)
    order = np.argsort(boxes.size[inside].prod(axis=1), kind="stable")
    return np.asarray(rows[inside][order])


def _deselect_hidden(layer: Any) -> None:
    """Let go of rows that cannot be seen: napari finds them under the mouse all the same."""
    chosen = [i for i in layer.selected_data if i < len(layer.features)]
    if state_of(layer) is None or not chosen:
        return
    kept = column_of(layer, "kept")
    hidden = {i for i in chosen if not kept[i]}
    if hidden:
        layer.selected_data = set(chosen) - hidden


def _paint(layer: Any, rows: Rows, colors: npt.NDArray[np.float64]) -> None:
    # Setting `edge_color` goes through all rows each time, and takes too long for a slider.
    own = getattr(layer, "__wrapped__", layer)  # a plugin's proxy warns of the private name
    own._data_view.update_edge_colors(rows, colors)
    layer.events.edge_color()


def _colors(hand: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    shown = np.where(np.asarray(hand, bool)[:, None], HAND_COLOR, MODEL_COLOR)
    return np.where(kept[:, None], shown, _HIDDEN)


def _in_checked(layer: Any, state: BoxState) -> npt.NDArray[np.bool_]:
    pairs = zip(column_of(layer, "frame").tolist(), column_of(layer, "z").tolist(), strict=True)
    return np.array([pair in state.checked for pair in pairs], bool)


def _among(boxes: Boxes, places: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    wanted = set(places)
    return np.array([p in wanted for p in zip(boxes.frame.tolist(), boxes.z.tolist(), strict=True)], bool)


def _state(layer: Any) -> BoxState:
    state = state_of(layer)
    if state is None:
        raise TypeError(f"the layer {layer.name} holds no boxes of ours")
    return state
