"""Boxes in files: our CSV, both ways; YOLO text and COCO JSON, to read."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes, Floats
from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.core.files import whole_or_nothing, writing

COLUMNS = ("frame", "z", "y", "x", "height", "width", "confidence", "source")
"""Columns in pixels; y and x are of the centre, and whole numbers are centres of pixels."""

UM_COLUMNS = ("z_um", "y_um", "x_um", "height_um", "width_um")
"""Added where the image has a pixel size; places are world coordinates."""

BOX_FORMATS = "boxes as our CSV (.csv), YOLO text (.txt) or COCO JSON (.json)"

_HAND, _MODEL = "hand", "model"


def write_boxes_csv(
    path: Path,
    boxes: Boxes,
    *,
    scale: Sequence[float] | None = None,
    translate: Sequence[float] = (0.0, 0.0, 0.0),
) -> None:
    """Write boxes as CSV; the file appears complete or not at all.

    Parameters
    ----------
    path : Path
    boxes : Boxes
    scale : sequence of float, optional
        µm of a step along Z, Y and X; without it there are no columns in µm.
    translate : sequence of float
        World position of the first pixel's centre along Z, Y and X, µm.

    Raises
    ------
    UnwritableFileError
        The folder is missing or cannot be written to.
    """
    columns = box_columns(boxes, scale=scale, translate=translate)
    texts = [_texts(values, 5 if name in UM_COLUMNS else 4) for name, values in columns.items()]
    with writing(path), whole_or_nothing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*texts, strict=True))


def box_columns(
    boxes: Boxes, *, scale: Sequence[float] | None = None, translate: Sequence[float] = (0.0, 0.0, 0.0)
) -> dict[str, npt.NDArray[Any]]:
    """Return what a file tells of boxes, by the names of its columns; parameters as for `write_boxes_csv`."""
    source = np.where(boxes.hand, _HAND, _MODEL)
    values = (boxes.frame, boxes.z, *boxes.centre.T, *boxes.size.T, boxes.confidence, source)
    columns = dict(zip(COLUMNS, values, strict=True))
    if scale is None:
        return columns
    steps = np.asarray(scale)
    place = np.column_stack((boxes.z, boxes.centre)) * steps + translate
    return columns | dict(zip(UM_COLUMNS, (*place.T, *(boxes.size * steps[1:]).T), strict=True))


def read_boxes(path: Path, shape: tuple[int, int] | None = None, *, image: str | None = None) -> Boxes:
    """Read boxes from a file of any kind that we know, told by its ending.

    Parameters
    ----------
    path : Path
        Our ``.csv``, a YOLO ``.txt`` or a COCO ``.json``.
    shape : tuple of int, optional
        ``(Y, X)`` of the image, pixels; YOLO needs it.
    image : str, optional
        File name of one image of a COCO file; without it each image is a frame.

    Raises
    ------
    UnreadableFileError
        The file is missing, of another kind or not as it should be, or YOLO's and `shape` is not given.
    """
    ending = path.suffix.lower()
    if ending == ".csv":
        return read_boxes_csv(path)
    if ending == ".json":
        return read_boxes_coco(path, image)
    if ending != ".txt":
        raise UnreadableFileError(str(path), "is of a kind we read no boxes from", f"Give {BOX_FORMATS}")
    if shape is None:
        fix = "Save its boxes as CSV, or give it with its image"
        raise UnreadableFileError(str(path), "holds shares of an image, whose size it does not say", fix)
    return read_boxes_yolo(path, shape)


def read_boxes_csv(path: Path) -> Boxes:
    """Read boxes from CSV; frame, z, confidence and source may be missing, other columns are left out.

    Raises
    ------
    UnreadableFileError
        The file is missing, has not the columns y, x, height and width, or a value is no number.
    """
    rows = list(csv.DictReader(_text(path).splitlines()))
    needed = ("y", "x", "height", "width")
    header = set(rows[0]) if rows else set(next(csv.reader(_text(path).splitlines()), ()))
    missing = [name for name in needed if name not in header]
    if missing:
        raise UnreadableFileError(str(path), f"has no column {', '.join(missing)}", f"Write {', '.join(COLUMNS)}")

    def column(name: str, default: float) -> list[float]:
        return [_number(path, i, name, row.get(name), default) for i, row in enumerate(rows, start=2)]

    return Boxes.of(
        np.column_stack([column("y", 0), column("x", 0)]),
        np.column_stack([column("height", 0), column("width", 0)]),
        frame=np.array(column("frame", 0), np.int64),
        z=np.array(column("z", 0), np.int64),
        confidence=column("confidence", 1),
        hand=[row.get("source") == _HAND for row in rows],
    )


def read_boxes_scale(path: Path, boxes: Boxes) -> tuple[Floats, Floats] | None:
    """Return how the pixels of a CSV lie in the world, by its columns in µm.

    Parameters
    ----------
    path : Path
    boxes : Boxes
        Read from it.

    Returns
    -------
    tuple of ndarray or None
        Scale and translation along Z, Y and X, µm, each ``(3,)``; None where there are no such columns, or no boxes.
        A Z that never changes has a step of 1.

    Raises
    ------
    UnreadableFileError
        A value is no number.
    """
    rows = list(csv.DictReader(_text(path).splitlines()))
    if not rows or not set(UM_COLUMNS) <= set(rows[0]) or not boxes.size.all():
        return None
    um = {n: np.array([_number(path, i, n, r.get(n), 0) for i, r in enumerate(rows, 2)]) for n in UM_COLUMNS}
    step = np.ptp(um["z_um"]) / np.ptp(boxes.z) if np.ptp(boxes.z) else 1.0
    sides = np.stack((um["height_um"], um["width_um"]), axis=1) / boxes.size
    scale = np.array([step, *np.median(sides, axis=0)])
    pixels = np.column_stack((boxes.z, boxes.centre))
    world = np.column_stack((um["z_um"], um["y_um"], um["x_um"]))
    return scale, np.asarray(np.median(world - pixels * scale, axis=0))


def read_boxes_yolo(path: Path, shape: tuple[int, int]) -> Boxes:
    """Read a YOLO text file: a line a box, ``class x y width height [confidence]``, as shares of the image.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        ``(Y, X)`` of the image, pixels.

    Raises
    ------
    UnreadableFileError
        A line is not of this form.
    """
    lines = [line.split() for line in _text(path).splitlines() if line.strip()]
    for i, line in enumerate(lines, start=1):
        if len(line) not in (5, 6):
            problem = f"line {i} has {len(line)} values, not 5 or 6"
            raise UnreadableFileError(str(path), problem, "Write class, x, y, width, height")
    values = np.array([[_number(path, i, "value", v, 0) for v in line[1:]] for i, line in enumerate(lines, 1)], object)
    x, y, width, height = (np.array([row[k] for row in values], float) for k in range(4))
    # YOLO counts from the outer edge of the first pixel, we from its centre.
    return Boxes.of(
        np.column_stack([y * shape[0] - 0.5, x * shape[1] - 0.5]),
        np.column_stack([height * shape[0], width * shape[1]]),
        confidence=[row[4] if len(row) > 4 else 1.0 for row in values],
    )


def read_boxes_coco(path: Path, image: str | None = None) -> Boxes:
    """Read the boxes of a COCO JSON: ``bbox`` is ``[x, y, width, height]`` of the upper left corner, pixels.

    Parameters
    ----------
    path : Path
    image : str, optional
        File name of one image; without it each image is a frame, in the order of their ids.

    Raises
    ------
    UnreadableFileError
        The file is no COCO JSON, or does not name this image.
    """
    try:
        content: Any = json.loads(_text(path))
        ids = {entry["id"]: entry.get("file_name", "") for entry in content["images"]}
        found = [(a["image_id"], a["bbox"], a.get("score", 1.0)) for a in content["annotations"]]
    except (ValueError, KeyError, TypeError) as error:
        problem = f"is no COCO file ({type(error).__name__}: {error})"
        raise UnreadableFileError(str(path), problem, "It needs images and annotations with bbox") from error
    if image is not None and image not in ids.values():
        raise UnreadableFileError(
            str(path), f"names no image {image}", f"It has: {', '.join(sorted(ids.values())[:5])}"
        )
    chosen = [i for i in sorted(ids) if image is None or ids[i] == image]
    kept = [(chosen.index(i), *box, score) for i, box, score in found if i in chosen]
    table = np.array(kept, float).reshape(-1, 6)
    corner, size = table[:, [2, 1]], table[:, [4, 3]]
    return Boxes.of(corner + size / 2 - 0.5, size, frame=table[:, 0].astype(np.int64), confidence=table[:, 5])


def _texts(values: npt.NDArray[Any], digits: int) -> list[Any]:
    return [f"{v:.{digits}f}" for v in values] if values.dtype.kind == "f" else values.tolist()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise UnreadableFileError(str(path), f"cannot be read ({reason})", "Give a text file of boxes") from error


def _number(path: Path, line: int, name: str, text: str | None, default: float) -> float:
    if text is None or not text.strip():
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise UnreadableFileError(str(path), f"line {line} has {text!r} as {name}", "Write numbers")
    return value
