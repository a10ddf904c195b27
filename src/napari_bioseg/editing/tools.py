"""All tools by name, with what the window must know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_bioseg.corrections.change import Change
from napari_bioseg.editing.connecting import connect
from napari_bioseg.editing.cutting import split
from napari_bioseg.editing.outline import fill_holes, grow, shrink, smooth
from napari_bioseg.editing.pieces import keep_largest, remove_small
from napari_bioseg.editing.planes import copy_previous, interpolate
from napari_bioseg.editing.scene import Scene
from napari_bioseg.editing.whole import Points, delete, merge, relabel


@dataclass(frozen=True)
class Tool:
    """A tool, and how it is called.

    Attributes
    ----------
    name : str
        As in the `Change` that it makes.
    title : str
        As the window shows it, and as its errors begin.
    clicks : int or None
        How many it takes: 0 (it gets one point all the same: where the viewer stands), 1, 2; None: as many as wanted,
        then Enter.
    key : str
        Shortcut, as napari writes it.
    tip : str
        One line for the window.
    run : callable
        Takes a `Scene` and points, indices into its labels; returns a `Change`, or None where there is nothing to
        change; raises `EditError`. Never writes.
    volume : bool
        Whether its scope is always a volume, also while the window works plane by plane.
    """

    name: str
    title: str
    clicks: int | None
    key: str
    tip: str
    run: Callable[[Scene, Points], Change | None]
    volume: bool = False


_ALL = (
    Tool("merge", "Merge", 2, "Shift+M", "Click one object, then another: it gets the first one's label", merge),
    Tool("split", "Split", None, "Shift+S", "Click once into each part, then press Enter", split),
    Tool("delete", "Delete", 1, "Shift+D", "Click an object to remove it", delete),
    Tool("fill_holes", "Fill holes", 1, "Shift+F", "Click an object to fill its holes", fill_holes),
    Tool("smooth", "Smooth", 1, "Shift+O", "Click an object to smooth its outline", smooth),
    Tool("grow", "Grow", 1, "Shift+G", "Click an object to widen it by the radius", grow),
    Tool("shrink", "Shrink", 1, "Shift+E", "Click an object to narrow it by the radius", shrink),
    Tool("relabel", "Assign label", 1, "Shift+R", "Click an object: it gets the chosen label, or class", relabel),
    Tool("keep_largest", "Keep largest", 1, "Shift+K", "Click a label: only its largest piece stays", keep_largest),
    Tool("remove_small", "Remove small", 0, "Shift+X", "Remove pieces of fewer pixels than the least", remove_small),
    Tool("connect", "Connect", 2, "Shift+C", "Click a vessel at both sides of a gap", connect),
    Tool("interpolate", "Interpolate", 0, "Shift+I", "Draw the chosen label between two planes", interpolate, True),
    Tool(
        "copy_previous",
        "Copy previous",
        0,
        "Shift+B",
        "Copy the chosen label from the plane before",
        copy_previous,
        True,
    ),
)
TOOLS: dict[str, Tool] = {tool.name: tool for tool in _ALL}
