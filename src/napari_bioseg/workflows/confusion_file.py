"""``confusion.csv`` of a run: which classes its model takes for which, on what it was tested on."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.models.card import Card
from napari_bioseg.workflows.scores import Row

FILE = "confusion.csv"


def write_confusion(folder: Path, card: Card, rows: Sequence[Row]) -> None:
    """Write the pixels of all images together; without labels to compare, as of boxes, nothing is written.

    Parameters
    ----------
    folder : Path
        The run.
    card : Card
        Names the classes.
    rows : sequence of Row
        What was tested; older models that know other classes are left out.

    Raises
    ------
    UnwritableFileError
        The disk is full, or the folder refuses.
    """
    names = [card.background, *(c.name for c in card.classes)]
    found = [row.confusion for row in rows if len(row.confusion) == len(names)]
    if not found:
        return
    counts = np.sum(found, axis=0)
    path = folder / FILE
    with writing(path), whole_or_nothing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["true class", *(f"found as {name}" for name in names)])
        writer.writerows([name, *line] for name, line in zip(names, counts.tolist(), strict=True))
