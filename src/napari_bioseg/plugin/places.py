"""Which part of an image the user means: the view, the current plane, a drawn rectangle."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import RecipeError

Area = Literal["whole", "visible", "drawn"]
Box = tuple[slice, ...]

PREVIEW_SIDE = 1024


def box_of(layer: Any, axes: str, area: Area, *, shapes: Any = None) -> Box:
    """Return the box over a layer's data that an area stands for.

    Parameters
    ----------
    layer : napari.layers.Image
        What is to be segmented.
    axes : str
        Of its data, without ``S``.
    area : str
        ``"whole"``; ``"visible"``: what the canvas shows, all planes; ``"drawn"``: the bounding box of the selected
        (or last) shape in `shapes`, all planes.
    shapes : napari.layers.Shapes, optional
        For ``"drawn"``.

    Raises
    ------
    RecipeError
        Nothing is drawn, or it lies beside the image.
    """
    shape = data_shape(layer)
    whole = tuple(slice(0, n) for n in shape)
    if area == "whole":
        return whole
    spans = _visible(layer, shape) if area == "visible" else _drawn(layer, shapes)
    box = tuple(
        _cut(spans[i], n) if a in "YX" else slice(0, n) for i, (a, n) in enumerate(zip(axes, shape, strict=True))
    )
    if any(s.start >= s.stop for s in box):
        raise RecipeError(
            layer.name, f"the {area} region lies beside the image", "Move the view or the rectangle onto it"
        )
    return box


def at_point(box: Box, axes: str, position: tuple[int, ...], fixed: str) -> Box:
    """Return the box with the axes in `fixed` narrowed to the plane at `position`."""
    return tuple(slice(p, p + 1) if a in fixed else s for s, a, p in zip(box, axes, position, strict=True))


def central(box: Box, axes: str, side: int = PREVIEW_SIDE) -> Box:
    """Return at most `side` pixels of the box along Y and X, about its centre."""
    return tuple(_narrowed(s, side) if a in "YX" else s for s, a in zip(box, axes, strict=True))


def current_position(viewer: Any, layer: Any) -> tuple[int, ...]:
    """Return the index along each axis of the layer's data at which the viewer's sliders stand."""
    world = in_units_of(layer, viewer.dims.point, getattr(viewer.dims, "units", None))
    point = layer.world_to_data(world)
    return tuple(int(np.clip(round(float(p)), 0, n - 1)) for p, n in zip(point, data_shape(layer), strict=True))


def in_units_of(layer: Any, point: Any, units: Any) -> npt.NDArray[np.float64]:
    """Return a point in the world in the units that a layer reckons in; napari aligns the last axes.

    Parameters
    ----------
    layer : napari.layers.Layer
    point : array-like
        In `units`.
    units : sequence of pint.Unit, optional
        None, and units that cannot be turned into the layer's, are taken for the layer's: napari shows them so.
    """
    moved = np.array(point, dtype=float)
    for i in range(1, min(len(moved), layer.ndim, len(units or ())) + 1):
        given, wanted = units[-i], layer.units[-i]
        if given != wanted and given.is_compatible_with(wanted):
            moved[-i] *= (1 * given).to(wanted).magnitude
    return moved


def go_to(viewer: Any, layer: Any, point: Any) -> None:
    """Bring a point of a layer's data on screen: the sliders to its plane, the camera above it, at the same zoom.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    layer : napari.layers.Layer
    point : array-like
        In pixels of the layer's data.
    """
    world = np.array(layer.data_to_world(point), dtype=float)
    units = getattr(viewer.dims, "units", None) or ()
    for i in range(1, min(len(world), viewer.dims.ndim, len(units)) + 1):
        given, wanted = layer.units[-i], units[-i]
        if given != wanted and given.is_compatible_with(wanted):
            world[-i] *= (1 * given).to(wanted).magnitude
    for i in range(1, min(len(world), viewer.dims.ndim) + 1):
        axis = viewer.dims.ndim - i
        if axis in viewer.dims.not_displayed:
            viewer.dims.set_point(axis, world[-i])
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    centre = list(camera.center)
    for place, axis in enumerate(viewer.dims.displayed[-2:], start=len(centre) - 2):
        centre[place] = world[axis - viewer.dims.ndim]
    camera.center = tuple(centre)


def data_shape(layer: Any) -> tuple[int, ...]:
    """Return the shape of a layer's full-resolution data, without colour samples."""
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(int(n) for n in data.shape[: layer.ndim])


def _visible(layer: Any, shape: tuple[int, ...]) -> list[tuple[float, float]]:
    # corner_pixels count pixels of the level on screen.
    factors = layer.downsample_factors[layer.data_level] if layer.multiscale else np.ones(len(shape))
    low, high = np.asarray(layer.corner_pixels, dtype=float)
    return [(float(a * f), float((b + 1) * f)) for a, b, f in zip(low, high, factors, strict=True)]


def _drawn(layer: Any, shapes: Any) -> list[tuple[float, float]]:
    if shapes is None or not len(shapes.data):
        raise RecipeError(
            "the region", "no rectangle is drawn", "Add a Shapes layer and draw one, or choose another area"
        )
    chosen = sorted(shapes.selected_data)[-1] if shapes.selected_data else -1
    corners = np.asarray(shapes.data[chosen], dtype=float)
    world = [in_units_of(layer, shapes.data_to_world(c), shapes.units) for c in corners]
    # Rounded, since a change of units leaves a remainder.
    inside = np.round([layer.world_to_data(_padded(w, layer.ndim)) for w in world], 6)
    # A pixel belongs to the region when its centre does.
    return [
        (float(np.ceil(low)), float(np.floor(high)) + 1) for low, high in zip(inside.min(0), inside.max(0), strict=True)
    ]


def _padded(point: Any, ndim: int) -> Any:
    return np.concatenate([np.zeros(max(0, ndim - len(point))), point])


def _cut(span: tuple[float, float], n: int) -> slice:
    return slice(max(0, int(span[0])), min(n, int(np.ceil(span[1]))))


def _narrowed(span: slice, side: int) -> slice:
    excess = max(0, span.stop - span.start - side)
    return slice(span.start + excess // 2, span.start + excess // 2 + min(side, span.stop - span.start))
