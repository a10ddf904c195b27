"""What a layer of boxes knows beside its rectangles, and its rows as boxes. No Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector

Rows = npt.NDArray[np.int64]

NO_CANDIDATE = -1
"""Instead of the number of a candidate: drawn by hand."""


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


def state_of(layer: Any) -> BoxState | None:
    """Return what we know of a layer of boxes; None for layers that are not ours."""
    own = layer.metadata.get(KEY)
    found = own.get("boxes") if isinstance(own, dict) else None
    return found if isinstance(found, BoxState) else None


def our_state(layer: Any) -> BoxState:
    """Return what we know of a layer of boxes of ours.

    Raises
    ------
    TypeError
        It is none.
    """
    state = state_of(layer)
    if state is None:
        raise TypeError(f"the layer {layer.name} holds no boxes of ours")
    return state


def kept_by_thresholds(state: BoxState) -> npt.NDArray[np.bool_]:
    """Return which candidates the thresholds keep, ``(N,)``."""
    return state.selector.keep(state.confidence, state.options)


def unfiltered(state: BoxState) -> Boxes:
    """Return the candidates that any confidence can show, at the other thresholds of now."""
    return state.selector.boxes[state.selector.keep(0.0, state.options)]


def column_of(layer: Any, name: str) -> npt.NDArray[Any]:
    """Return a feature of all rows, ``(N,)``."""
    return np.asarray(layer.features[name].to_numpy())


def kept_rows(layer: Any) -> Rows:
    """Return the rows that are shown."""
    return np.flatnonzero(column_of(layer, "kept").astype(bool))


def boxes_of(layer: Any, rows: Rows | None = None) -> Boxes:
    """Return the boxes of a layer of ours, those that are shown or those at `rows`, in the order of its rows."""
    state = our_state(layer)
    rows = kept_rows(layer) if rows is None else np.asarray(rows, np.int64)
    candidate = column_of(layer, "candidate")[rows]
    drawn = np.flatnonzero(candidate == NO_CANDIDATE)
    ours = boxes_from_shapes(shapes_at(layer, rows[drawn]), state.axes)
    if not len(state.selector.boxes):
        return ours
    found = state.selector.boxes[np.where(candidate == NO_CANDIDATE, 0, candidate)]
    for name in ("frame", "z", "centre", "size", "confidence", "hand"):
        getattr(found, name)[drawn] = getattr(ours, name)
    return found


def middle_of(layer: Any, row: int) -> npt.NDArray[np.float64]:
    """Return the centre of a row in pixels of its layer, ``(D,)``."""
    corners = np.asarray(layer.data[row], float)
    return np.asarray((corners.min(axis=0) + corners.max(axis=0)) / 2)


def boxes_at(boxes: Boxes, places: Iterable[tuple[int, int]]) -> Boxes:
    """Return the boxes that lie in some frames (and planes)."""
    return boxes[_among(boxes, places)]


def _among(boxes: Boxes, places: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    wanted = set(places)
    return np.array([p in wanted for p in zip(boxes.frame.tolist(), boxes.z.tolist(), strict=True)], bool)


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


def shapes_at(layer: Any, rows: Rows) -> list[Any]:
    """Return the corners of rows, ``(V, D)`` each, in pixels."""
    data = layer.data  # made anew at each look
    return [data[i] for i in rows]
