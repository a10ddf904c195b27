"""Old, new and the truth as layers on the image they are of: side by side under a curtain, or one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.arrays import create_array
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.plugin.images import source_of
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.places import data_shape, go_to
from napari_bioseg.plugin.placing import placement_like

if TYPE_CHECKING:
    from napari_bioseg.workflows.comparison_result import Comparison, Shown

Side: TypeAlias = Literal["old", "new", "truth"]

# Okabe & Ito's orange, sky blue and purple: told apart by the colour-blind as well. Where old and new agree, their
# colours give a grey green.
COLORS: dict[Side, str] = {"old": "#e69f00", "new": "#56b4e9", "truth": "#cc79a7"}
_SMALL = 2**26  # bytes: beyond it, planes that were not compared take no memory


@dataclass(frozen=True)
class Compared:
    """The layers of one image.

    Attributes
    ----------
    image : napari.layers.Image
        What they lie on.
    layers : dict of str to layer
        By side: Labels, or Shapes for boxes.
    planes : dict of tuple to Shown
        By where they lie.
    """

    image: Any
    layers: dict[Side, Any]
    planes: dict[tuple[int, ...], Shown]

    @property
    def labelled(self) -> bool:
        """Whether labels are shown, which a curtain can part; boxes cannot be."""
        return not any(isinstance(shown.old, Boxes) for shown in self.planes.values())

    def draw(self, plane: tuple[int, ...], curtain: float | None) -> None:
        """Draw a plane: all of both sides, or the old one left of the curtain and the new one right of it.

        Parameters
        ----------
        plane : tuple of int
            One that was not compared is left alone.
        curtain : float or None
            0 to 1: where the curtain hangs, as a share of the width.
        """
        shown = self.planes.get(plane)
        if shown is None or not self.labelled:
            return
        width = self.layers["old"].data.shape[-1]
        edge = round((curtain or 0) * width)
        parts: dict[Side, slice] = {"old": slice(0, width if curtain is None else edge), "new": slice(edge, width)}
        for side, part in parts.items():
            labels = np.zeros(self.layers[side].data.shape[-2:], np.uint8)
            labels[:, part] = getattr(shown, side)[:, part]
            self.layers[side].data[plane] = labels
            self.layers[side].refresh()


def image_layer_of(layers: Iterable[Any], source: Path | None) -> Any:
    """Return the Image layer of a file, the first where channels are several; None where it is not open."""
    found = (layer for layer in layers if type(layer).__name__ == "Image" and source_of(layer)[0] is not None)
    return next((v for v in found if source is not None and _same(source_of(v)[0], source)), None)


def images_missing(layers: Iterable[Any], comparison: Comparison) -> tuple[tuple[Path, str | None], ...]:
    """Return the files of what was compared and is not open, each once, with what must be said of its axes."""
    files = {s.source: s.axes for s in comparison.planes if s.source is not None and s.source.exists()}
    return tuple((path, axes) for path, axes in files.items() if image_layer_of(layers, path) is None)


def show_compared(viewer: Any, comparison: Comparison) -> tuple[Compared, ...]:
    """Lay old, new and the truth on the images that are open, in place of those of the last comparison.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    comparison : Comparison
        With its planes.
    """
    remove_compared(viewer)
    by_image: dict[str, list[Shown]] = {}
    for shown in comparison.planes:
        by_image.setdefault(shown.image, []).append(shown)
    found = []
    for planes in by_image.values():
        image = image_layer_of(viewer.layers, planes[0].source)
        if image is not None:
            found.append(_lay(viewer, image, planes))
    return tuple(found)


def remove_compared(viewer: Any) -> None:
    """Take away the layers of the last comparison."""
    for layer in [v for v in viewer.layers if v.metadata.get(KEY, {}).get("compared")]:
        viewer.layers.remove(layer)


def go_to_region(viewer: Any, image: Any, plane: tuple[int, ...], box: tuple[int, int, int, int] | None = None) -> None:
    """Bring the middle of a box of a plane on screen, or of all of the plane."""
    shape = data_shape(image)
    top, left, bottom, right = box or (0, 0, *shape[-2:])
    lead = (0,) * (len(shape) - 2 - len(plane)) + tuple(plane)
    go_to(viewer, image, (*lead, (top + bottom - 1) / 2, (left + right - 1) / 2))


def _lay(viewer: Any, image: Any, planes: list[Shown]) -> Compared:
    first = planes[0]
    ndim = len(first.plane) + 2
    shape = data_shape(image)[-ndim:]
    placing = {"name": f"{first.image} · ", "metadata": {KEY: {"compared": True}}, **_placing(image, ndim)}
    boxes = isinstance(first.old, Boxes)
    made = {side: (_boxes if boxes else _labels)(viewer, side, planes, shape, placing) for side in COLORS}
    # As it was: a tool must not end up on a layer of a comparison.
    viewer.layers.selection.active = image
    return Compared(image, made, {shown.plane: shown for shown in planes})


def _labels(viewer: Any, side: Side, planes: list[Shown], shape: tuple[int, ...], placing: dict[str, Any]) -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    small = int(np.prod(shape)) <= _SMALL
    chunks = (1,) * (len(shape) - 2) + tuple(min(n, 512) for n in shape[-2:])
    data: Any = np.zeros(shape, np.uint8) if small else create_array(None, shape, chunks, "uint8")
    for shown in planes:
        data[shown.plane] = np.maximum(getattr(shown, side), 0)
    several = any(np.any(np.asarray(shown.truth) > 1) for shown in planes)
    colors: dict[int | None, str] = {0: "transparent", None: COLORS[side]}
    how = {} if several else {"colormap": DirectLabelColormap(color_dict=colors)}
    made = viewer.add_labels(data, opacity=0.5, **how, **{**placing, "name": placing["name"] + side})
    made.editable = False
    if side == "truth":
        made.contour, made.opacity = 1, 1.0
    return made


def _boxes(viewer: Any, side: Side, planes: list[Shown], shape: tuple[int, ...], placing: dict[str, Any]) -> Any:
    corners = [c for shown in planes for c in _rectangles(shown.plane, getattr(shown, side))]
    return viewer.add_shapes(
        corners, ndim=len(shape), shape_type="rectangle", edge_color=COLORS[side], face_color="transparent",
        edge_width=0.5, **{**placing, "name": placing["name"] + side},
    )  # fmt: skip


def _rectangles(plane: tuple[int, ...], boxes: Boxes) -> list[npt.NDArray[np.float64]]:
    """Return the four corners of each box, with its plane before."""
    return [
        np.array([(*plane, y, x) for y, x in ((top, left), (top, right), (bottom, right), (bottom, left))])
        for top, left, bottom, right in boxes.corners.tolist()
    ]


def _placing(image: Any, ndim: int) -> dict[str, Any]:
    """Return where a layer of the last axes of an image lies: without an axis of channels that it has before them."""
    if image.ndim == ndim:
        return placement_like(image)
    return {name: getattr(image, name)[-ndim:] for name in ("scale", "translate", "units", "axis_labels")}


def _same(one: Path | None, other: Path) -> bool:
    return one is not None and (one == other or one.resolve() == other.resolve())
