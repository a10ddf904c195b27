"""All boxes that a network told, as a plain CSV whose numbers come back exactly."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.corrections.project_info import reading

Mask = npt.NDArray[np.bool_]

COLUMNS = ("frame", "z", "y", "x", "height", "width", "confidence", "shown")


def write_candidates(path: Path, boxes: Boxes, shown: Mask) -> None:
    """Write boxes in pixels, and which of them thresholds show; Python writes as many digits as a number has.

    Raises
    ------
    OSError
    """
    columns = (boxes.frame, boxes.z, *boxes.centre.T, *boxes.size.T, boxes.confidence, shown.astype(np.int64))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(zip(*(column.tolist() for column in columns), strict=True))


def read_candidates(path: Path) -> tuple[Boxes, Mask]:
    """Read what `write_candidates` wrote.

    Raises
    ------
    UnreadableFileError
        It is missing or damaged.
    """
    with reading(path), path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
        if tuple(header) != COLUMNS:
            raise ValueError("other columns")
        table: npt.NDArray[Any] = np.array(rows, dtype=object).reshape(-1, len(COLUMNS))
        frame, z, shown = (table[:, i].astype(np.int64) for i in (0, 1, 7))
        y, x, height, width, confidence = numbers = table[:, 2:7].astype(np.float64).T
        if not np.isfinite(numbers).all():
            raise ValueError("no numbers")
        centre, size = np.column_stack((y, x)), np.column_stack((height, width))
        return Boxes.of(centre, size, frame=frame, z=z, confidence=confidence), shown.astype(np.bool_)
