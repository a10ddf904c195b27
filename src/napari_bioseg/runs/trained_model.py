"""A model folder as a registry must know it; the cards of models are read in another room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainedModel:
    """A model folder to be put into a registry.

    Attributes
    ----------
    folder : Path
    name : str
    sha256 : str
        Of its weights.
    summary : str
        One line.
    axes : str
        ``"YX"`` or ``"ZYX"``: of one of the arrays that it takes.
    boxes : bool
        Whether it gives boxes; else labels.
    """

    folder: Path
    name: str
    sha256: str
    summary: str
    axes: str
    boxes: bool
