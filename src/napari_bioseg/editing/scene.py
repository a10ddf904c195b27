"""What a tool is told: the labels, the part it may see and change, and what lies under them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from napari_bioseg.core.options import Options
from napari_bioseg.corrections.change import Box


class EditOptions(Options):
    """Options of the correction tools."""

    radius: int = Field(
        2, ge=1, le=50, description="How far grow, shrink and smooth reach, in pixels along the axis of the finest step"
    )
    min_size: int = Field(64, ge=1, description="Remove small: pieces of fewer pixels go")
    pieces: bool = Field(
        True, description="A click means the connected piece under it, not all pixels of the same label"
    )
    cut: Literal["waist", "dark", "bright"] = Field(
        "waist", description="Split: where the object is thin, or along dark or bright lines of the image"
    )


@dataclass(frozen=True)
class Scene:
    """Where a tool works.

    Attributes
    ----------
    labels : array
        Uint32, numpy or zarr; only sliced, never written here. Maybe larger than memory.
    scope : tuple of slice
        The box that the tool sees and changes, one slice an axis: a plane, or a volume at one time point. Axes before
        the last two (plane) or three (volume) have length 1.
    spacing : tuple of float
        Step between pixels along each axis of the labels, of any one unit.
    label : int
        The label chosen in the window, for tools that write one.
    image, probability : array, optional
        On the grid of the labels: grey values; probability (0 to 1) of foreground.
    options : EditOptions
    highest : int, optional
        The highest label anywhere in `labels`, where it is known; else split reads all of them to find it.
    """

    labels: Any
    scope: Box
    spacing: tuple[float, ...]
    label: int = 1
    image: Any = None
    probability: Any = None
    options: EditOptions = field(default_factory=EditOptions)
    highest: int | None = None
