"""`Comparison`: which of two models is better, where, and by how much."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.metrics.paired import Difference

FILE = "comparison.json"
VERSION = 1

Plane = tuple[int, ...]
"""Where a plane lies, along the axes before Y and X: empty for an image without such axes, or for all of an image."""


@dataclass(frozen=True)
class Unit:
    """Scores of one plane, or of one image where its planes cannot be scored by themselves.

    Attributes
    ----------
    image : str
        Its name.
    plane : tuple of int
        As in the file; see `Plane`.
    group : str
        Units of one group are alike.
    old, new : dict of str to float
        By metric; what a plane has no score of is left out.
    """

    image: str
    plane: Plane
    group: str
    old: dict[str, float]
    new: dict[str, float]


@dataclass(frozen=True)
class Region:
    """A part of a plane where two models are not equally good.

    Attributes
    ----------
    image : str
    plane : tuple of int
    box : tuple of int
        First y and x, last y and x (excluded), pixels.
    gain : int
        Pixels, or boxes, that only the new model has right, less those that only the old one has.
    """

    image: str
    plane: Plane
    box: tuple[int, int, int, int]
    gain: int


@dataclass(frozen=True, eq=False)
class Shown:
    """A plane that was compared, to look at.

    Attributes
    ----------
    image : str
    source : Path or None
        File of the image.
    axes : str or None
        What had to be said of its axes to open it; None where the file says them.
    plane : tuple of int
    old, new, truth : ndarray or Boxes
        Uint8 or int16 ``(Y, X)`` classes, the truth -1 where it is not known; or the boxes of the plane.
    """

    image: str
    source: Path | None
    axes: str | None
    plane: Plane
    old: npt.NDArray[Any] | Boxes
    new: npt.NDArray[Any] | Boxes
    truth: npt.NDArray[np.int16] | Boxes


@dataclass(frozen=True)
class Original:
    """Whether the new model can still do what the old one was made for.

    Attributes
    ----------
    on : str
        What it was measured on, e.g. ``"simulated membranes"``.
    words : str
        E.g. ``"worse on original data: forgetting (Dice 0.93 -> 0.85 on 8 slices of simulated membranes)"``.
    rows : tuple of Unit
    differences : dict of str to Difference
        By metric.
    """

    on: str
    words: str
    rows: tuple[Unit, ...] = ()
    differences: Mapping[str, Difference] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images, neither of them trained on these.

    Attributes
    ----------
    old, new : str
        Their names.
    metrics : tuple of str
        The first of them decides.
    unit : str
        What is scored one by one: ``"slice"``, ``"frame"`` or ``"image"``.
    rows : tuple of Unit
    differences : dict of str to Difference
        By metric.
    verdict : str
        One to three sentences.
    original : Original or None
        None where it was not asked for.
    regions : tuple of Region
        The largest change first.
    planes : tuple of Shown
        Not in the file: empty when read back.
    """

    old: str
    new: str
    metrics: tuple[str, ...]
    unit: str
    rows: tuple[Unit, ...]
    differences: Mapping[str, Difference]
    verdict: str
    original: Original | None = None
    regions: tuple[Region, ...] = ()
    planes: tuple[Shown, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON has them; None for what is no number. The planes are left out."""
        values = {name: value for name, value in vars(self).items() if name != "planes"}
        for name in ("rows", "regions"):
            values[name] = [asdict(item) for item in values[name]]
        values["differences"] = _plain(self.differences)
        if self.original is not None:
            values["original"] = {**asdict(self.original), "differences": _plain(self.original.differences)}
        return {"version": VERSION, **values}

    def write(self, path: Path) -> None:
        """Write all but the planes as JSON, whole or not at all.

        Raises
        ------
        UnwritableFileError
            The disk is full, or the folder refuses.
        """
        with writing(path), whole_or_nothing(path) as part:
            part.write_text(json.dumps(self.as_dict(), indent=1, allow_nan=False), encoding="utf-8")


def _plain(differences: Mapping[str, Difference]) -> dict[str, dict[str, Any]]:
    return {
        metric: {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(found).items()}
        for metric, found in differences.items()
    }
