"""The summary of a batch: a table, and a page to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.workflows.object_table import ObjectTable, write_table
from napari_bioseg.workflows.report_page import page


@dataclass(frozen=True)
class ImageRow:
    """One image of a batch.

    Attributes
    ----------
    name, source : str
        What its results are called, and where it is.
    state : str
        ``"done"``, ``"failed"``, or ``"skipped"``: its turn has not come.
    why : str
        One line, of an image that is not done.
    objects : int or None
        Instances or boxes; None: not counted.
    fraction : float or None
        Share of the pixels that are in an object, 0..1.
    seconds, network_seconds : float or None
        From opening it to its last file; in the network.
    pixels : int or None
        Of the image, without channels.
    drift : float or None
        How unlike the training it is: the largest distance in units of its threshold; None: not compared.
    warning : str
        Why, one line; empty where nothing is warned of.
    thumbnail : Path or None
        A PNG, see `thumbnail`.
    """

    name: str
    source: str
    state: str
    why: str = ""
    objects: int | None = None
    fraction: float | None = None
    seconds: float | None = None
    network_seconds: float | None = None
    pixels: int | None = None
    drift: float | None = None
    warning: str = ""
    thumbnail: Path | None = None

    @property
    def pixels_per_second(self) -> float | None:
        """Of the whole way from file to file."""
        return self.pixels / self.seconds if self.pixels is not None and self.seconds else None


def write_report(
    folder: Path,
    rows: Sequence[ImageRow],
    *,
    title: str,
    command: str,
    provenance: Mapping[str, Any],
    seconds: float | None = None,
) -> tuple[Path, ...]:
    """Write ``summary.csv``, ``summary.parquet`` and ``report.html``; each is complete.

    The page is one file that asks for nothing from elsewhere, without scripts.

    Parameters
    ----------
    folder : Path
    rows : sequence of ImageRow
    title : str
    command : str
        That does the same again.
    provenance : Mapping
        Model, hashes, options, version: plain JSON values.
    seconds : float, optional
        On the clock, for all images together.

    Raises
    ------
    UnwritableFileError
        The folder is missing or cannot be written to, or the disk is full.
    """
    tables = write_table(_summary(rows), folder / "summary")
    path = folder / "report.html"
    with writing(path), whole_or_nothing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(page(folder, rows, title=title, command=command, provenance=provenance, seconds=seconds))
    return (*tables, path)


def _summary(rows: Sequence[ImageRow]) -> ObjectTable:
    words = ("name", "source", "state", "why", "warning")
    texts = {what: np.array([getattr(r, what) for r in rows], np.str_) for what in words}
    figures = {
        "objects": np.int64,
        "fraction": np.float64,
        "seconds": np.float64,
        "network_seconds": np.float64,
        "pixels": np.int64,
        "pixels_per_second": np.float64,
        "drift": np.float64,
    }
    return ObjectTable(texts | {what: _known([getattr(r, what) for r in rows], t) for what, t in figures.items()})


def _known(values: Sequence[float | None], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    mask = [value is None for value in values]
    return np.ma.MaskedArray([0 if value is None else value for value in values], mask, dtype)
