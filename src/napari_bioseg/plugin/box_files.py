"""Boxes between CSV files and napari's own Open and Save dialogs."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.plugin.box_layer import box_layer_data
from napari_bioseg.plugin.box_state import BoxState, boxes_from_shapes
from napari_bioseg.plugin.layers import KEY, LayerData
from napari_bioseg.plugin.placing import axes_said, placement_said

NEEDED = {"y", "x", "height", "width"}


def holds_boxes(path: str | Path) -> bool:
    """Whether a file is a CSV of boxes; its first line is read, no more."""
    if Path(path).suffix.lower() != ".csv":
        return False
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            return set(next(csv.reader(file), ())) >= NEEDED
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def read_box_layers(path: str | Path) -> list[LayerData]:
    """Open a CSV of boxes as a Shapes layer of rectangles.

    The file does not say which axes its image had: there is a T where a frame other than 0 is told, and a Z likewise.
    (The panel "Detect" knows the image, and opens boxes onto it.) Columns in µm give the scale.

    Raises
    ------
    UnreadableFileError
        As `napari_bioseg.io.boxes.read_boxes_csv`.
    """
    from napari_bioseg.io.boxes import read_boxes_csv, read_boxes_scale
    from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector

    source = Path(path)
    boxes = read_boxes_csv(source)
    placed = read_boxes_scale(source, boxes)
    axes = "".join(a for a, at in (("T", boxes.frame), ("Z", boxes.z)) if at.any()) + "YX"
    image, placement = _image(source, boxes, axes, placed)
    found, drawn = boxes[~boxes.hand], boxes[boxes.hand]
    state = BoxState(BoxSelector(found), BoxOptions(), 0.0, image, axes)
    every = np.ones(len(found), bool)
    return [box_layer_data(state, drawn, name=source.stem, placement=placement, shown=every)]


def write_boxes(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write a Shapes layer as a CSV of boxes; a shape of another kind counts as the box around it.

    Of a layer of ours only the boxes that its thresholds show are written.

    Parameters
    ----------
    path : str
        ``.csv``.
    data : list of array
        Corners, each ``(V, D)``.
    attributes : Mapping
        As napari gives them.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    UnwritableFileError
        The folder is missing or cannot be written to.
    """
    from napari_bioseg.io.boxes import write_boxes_csv

    corners = [np.asarray(shape, float) for shape in data]
    ndim = len(attributes.get("scale", ())) or (corners[0].shape[1] if corners else 2)
    boxes, axes = _boxes(corners, ndim, attributes)
    scale, translate = _micrometres(axes, attributes)
    write_boxes_csv(Path(path), boxes, scale=scale, translate=translate)
    return [str(Path(path))]


def _boxes(corners: list[Any], ndim: int, attributes: Mapping[str, Any]) -> tuple[Boxes, str]:
    state = attributes.get("metadata", {}).get(KEY, {}).get("boxes")
    if isinstance(state, BoxState):
        axes = state.axes
    else:
        axes = axes_said(ndim, attributes, "TZYX") or {2: "YX", 3: "TYX"}.get(ndim, "TZYX")
    boxes = boxes_from_shapes(corners, axes)
    features = attributes.get("features")
    if not isinstance(state, BoxState) or features is None or "kept" not in features:
        return boxes, axes
    hand = np.asarray(features["candidate"]) < 0
    confidence = np.where(hand, 1.0, np.asarray(features["confidence"], float))
    marked = Boxes(boxes.frame, boxes.z, boxes.centre, boxes.size, confidence, hand)
    return marked[np.asarray(features["kept"], bool)], axes


def _micrometres(axes: str, attributes: Mapping[str, Any]) -> tuple[list[float] | None, list[float]]:
    """Return scale and translation along Z, Y and X in µm; None for a layer without a length."""
    scale, units, translate = (dict(zip(axes, v, strict=True)) for v in placement_said(axes, attributes))
    if units["Y"] is None or units["X"] is None:
        return None, [0.0, 0.0, 0.0]
    # A stack without a step along Z: its planes are counted.
    return [float(scale.get(a, 1.0) or 1.0) for a in "ZYX"], [float(translate.get(a, 0.0) or 0.0) for a in "ZYX"]


def _image(
    source: Path, boxes: Boxes, axes: str, placed: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None
) -> tuple[Image, dict[str, Any]]:
    """Return an empty image that the boxes could be of, and how their layer lies."""
    reach = np.ceil(boxes.corners.max(axis=0, initial=0)).astype(int) + 1
    sizes = {
        "T": int(boxes.frame.max(initial=0)) + 1,
        "Z": int(boxes.z.max(initial=0)) + 1,
        "Y": reach[2],
        "X": reach[3],
    }
    shape = tuple(max(1, int(sizes[a])) for a in axes)
    nothing = da.zeros(shape, np.uint8, chunks=-1)  # of any size, since nobody looks at it
    if placed is None:
        return image_from_array(nothing, axes, name=source.stem), {"axis_labels": tuple(axes.lower())}
    scale, translate = (dict(zip("ZYX", values, strict=True)) for values in placed)
    lengths = [a for a in axes if a in "ZYX"]
    image = image_from_array(nothing, axes, name=source.stem, pixel_size={a: float(scale[a]) for a in lengths})
    placement: dict[str, Any] = {
        "axis_labels": tuple(axes.lower()),
        "scale": tuple(float(scale.get(a, 1.0)) for a in axes),
        "translate": tuple(float(translate.get(a, 0.0)) for a in axes),
        "units": tuple("micrometer" if a in lengths else "pixel" for a in axes),
    }
    return replace(image, translate=placement["translate"]), placement
