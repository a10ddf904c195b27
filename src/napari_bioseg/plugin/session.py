"""The viewer as the panels see it: which image, which part, where results go. No Qt, so a `ViewerModel` will do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bioseg.core.errors import IncompatibleImageError
from napari_bioseg.core.image import Image
from napari_bioseg.plugin.colors import class_colormap
from napari_bioseg.plugin.images import axes_of_layer, image_behind
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.places import Area, Box, at_point, box_of, central, current_position
from napari_bioseg.plugin.result import Request, Result
from napari_bioseg.workflows.options import SegmentOptions
from napari_bioseg.workflows.region import format_region

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_bioseg.core.prediction import ClassInfo
    from napari_bioseg.models.card import Card

NOT_LABELS = "CS"  # axes that labels do not have


def model_image(viewer: Any, layer: Any) -> tuple[Image, int]:
    """Return the image behind a layer and the channel that the layer shows (0 without channels).

    Raises
    ------
    UnknownAxesError
        The layer does not say its axes.
    IncompatibleImageError
        Its channels are not the first axis, so that labels could not lie on it.
    """
    image, channel = image_behind(layer)
    if channel is not None:
        return image, channel
    at = axes_of_layer(layer).find("C")
    if at > 0:
        raise IncompatibleImageError(layer.name, "its channels are not the first axis", "Split the stack by channels")
    return image, current_position(viewer, layer)[at] if at == 0 else 0


@dataclass(frozen=True)
class Target:
    """What of a layer the engine is to look at.

    Attributes
    ----------
    image : Image
        Without colour channels that the layer does not show.
    channel : int
        That the layer shows.
    region : str or None
        As the option ``region``.
    axes : str
        Of the layer.
    box : tuple of slice
        The region along them.
    """

    image: Image
    channel: int
    region: str | None
    axes: str
    box: Box

    @property
    def grid(self) -> str:
        """The axes of what comes out: labels and boxes have no channels."""
        return "".join(a for a in self.axes if a not in NOT_LABELS)


def target_of(
    viewer: Any,
    layer: Any,
    card: Card,
    *,
    area: Area = "whole",
    current: bool = False,
    shapes: Any = None,
    preview: bool = False,
) -> Target:
    """Freeze what the user sees.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    layer : napari.layers.Image
    card : Card
        Of the model; its axes say what "current" means: the plane, or the volume at this time.
    area : str
        As for `box_of`.
    current : bool
        Only the plane (2-D model) or volume (3-D model) at the sliders.
    shapes : napari.layers.Shapes, optional
        For the area ``"drawn"``.
    preview : bool
        Only the central part of what is visible, at the current plane, whatever `area` says.

    Raises
    ------
    UnknownAxesError, IncompatibleImageError, RecipeError
        As for `model_image` and `box_of`.
    """
    image, channel = model_image(viewer, layer)
    axes = axes_of_layer(layer)[: layer.ndim]
    position = current_position(viewer, layer)
    box = box_of(layer, axes, "visible" if preview else area, shapes=shapes)
    if preview:
        box = central(at_point(box, axes, position, axes.replace("Y", "").replace("X", "")), axes)
    elif current:
        box = at_point(box, axes, position, "".join(a for a in axes if a not in card.input.axes))
    kept = [i for i, a in enumerate(axes) if a not in NOT_LABELS]
    grid = "".join(axes[i] for i in kept)
    shape = tuple(n for a, n in zip(image.axes, image.shape, strict=True) if a not in NOT_LABELS)
    region = format_region(tuple(box[i] for i in kept), grid, shape)
    return Target(image, channel, region, axes, box)


def make_request(
    viewer: Any, layer: Any, card: Card, options: SegmentOptions, *, preview: bool = False, **where: Any
) -> Request:
    """Freeze what the user sees and wants.

    Parameters
    ----------
    viewer, layer, card, preview, **where
        As for `target_of`.
    options : SegmentOptions
        Its region and channel are replaced.

    Raises
    ------
    UnknownAxesError, IncompatibleImageError, RecipeError
        As for `target_of`.
    """
    target = target_of(viewer, layer, card, preview=preview, **where)
    options = options.model_copy(update={"region": target.region, "channel": target.channel})
    placement = labels_placement(layer, target.axes, target.box)
    return Request(target.image, options, layer.name, placement, preview)


def labels_placement(layer: Any, axes: str, box: Box) -> dict[str, Any]:
    """Return the keyword arguments that lay labels of a box exactly on an image layer, turned and sheared as it is."""
    kept = [i for i, a in enumerate(axes) if a not in NOT_LABELS]
    world = layer.data_to_world([s.start for s in box])
    inside = layer.affine.inverse(np.asarray(world))
    placement: dict[str, Any] = {
        "scale": tuple(float(layer.scale[i]) for i in kept),
        "translate": tuple(float(inside[i]) for i in kept),
        "units": tuple(layer.units[i] for i in kept),
        "axis_labels": tuple(axes[i].lower() for i in kept),
    }
    if len(kept) == layer.ndim:
        placement |= {"rotate": layer.rotate, "shear": layer.shear, "affine": layer.affine.affine_matrix}
    return placement


def show(viewer: Any, result: Result) -> Labels:
    """Show a result as a Labels layer.

    It takes the place of the last preview of the same image, which it would cover, unless that was painted on. (The
    layer is used again rather than replaced: making one costs napari over a tenth of a second in the GUI thread.)
    """
    request, options, classes = result.request, result.segmentation.options, result.segmentation.prediction.classes
    viewer.layers.events.inserted.connect(_watch_painting)
    previews = [v for v in viewer.layers if _is_preview(v, request.name)]
    for layer in previews[1:]:
        viewer.layers.remove(layer)
    if previews and previews[0].ndim == len(result.labels.shape):
        layer = previews[0]
        _fill(layer, result)
        layer.visible = True
        viewer.layers.selection.active = layer
    else:
        layer = viewer.add_labels(result.labels, opacity=0.5, **_attributes(result))
    _colour(layer, options, classes)  # whatever its type is already: another model has other colours
    dress(layer, options, classes)
    return layer


def replace_labels(layer: Any, result: Result) -> None:
    """Show newly decoded labels in their layer."""
    layer.metadata[KEY] = _metadata(result)
    layer.data = result.labels


def dress(layer: Any, options: SegmentOptions, classes: Iterable[ClassInfo]) -> None:
    """Give classes the colours and names of the model's card, and instances napari's cyclic colours."""
    from napari.utils.colormaps import DirectLabelColormap

    if options.instances == isinstance(layer.colormap, DirectLabelColormap):
        _colour(layer, options, classes)
    named = {} if options.instances else {c.value: c.name for c in classes}
    layer.features = {"index": list(named), "class": list(named.values())} if named else {}


def show_beside(viewer: Any, result: Result) -> Labels:
    """Show newly decoded labels in a layer of their own, since theirs was painted on."""
    return show(viewer, replace(result, request=replace(result.request, preview=False)))


def result_of(layer: Any) -> Result | None:
    """Return the result that a layer shows; None for layers that are not ours."""
    own = layer.metadata.get(KEY)
    found = own.get("result") if isinstance(own, dict) else None
    return found if isinstance(found, Result) else None


def is_edited(layer: Any) -> bool:
    """Whether the user painted on a layer of ours."""
    return bool(layer.metadata.get(KEY, {}).get("edited"))


def is_painting(layer: Any) -> bool:
    """Whether a stroke is being drawn on a layer: napari tells of it only once the button is released."""
    own = getattr(layer, "__wrapped__", layer)  # a plugin's proxy warns of the private name
    return bool(getattr(own, "_staged_history", ()))


def stroke_under_way(viewer: Any) -> bool:
    """Whether the user is drawing on any layer; a layer that came now would take the stroke away."""
    return any(is_painting(layer) for layer in viewer.layers)


def mark_edited(event: Any) -> None:
    """Remember that the user painted: from now on these labels are theirs."""
    layer = event.source
    layer.metadata[KEY] = {**layer.metadata.get(KEY, {}), "edited": True}


def _watch_painting(event: Any) -> None:
    # Also copies that napari makes of a result. Every stroke, fill and undo in napari ends up in `paint`; connecting
    # a callback again does nothing.
    if result_of(event.value) is not None:
        event.value.events.paint.connect(mark_edited)


def _colour(layer: Any, options: SegmentOptions, classes: Iterable[ClassInfo]) -> None:
    from napari.utils.colormaps import label_colormap

    layer.colormap = label_colormap() if options.instances else class_colormap(classes)


def _attributes(result: Result) -> dict[str, Any]:
    request, options = result.request, result.segmentation.options
    ending = "preview" if request.preview else Path(options.model).name
    return {
        **request.placement,
        "name": f"{request.name} · {ending}" + ("" if result.done else " (cancelled, incomplete)"),
        "metadata": {KEY: _metadata(result)},
    }


def _fill(layer: Any, result: Result) -> None:
    layer.data = result.labels
    for name, value in _attributes(result).items():
        setattr(layer, name, value)


def _metadata(result: Result) -> dict[str, Any]:
    prediction = result.segmentation.prediction
    return {
        "result": result,
        "prediction": prediction,
        "provenance": result.segmentation.provenance,
        "preview": result.request.preview,
        "owner": result.request.name,
        "complete": result.done,
    }


def _is_preview(layer: Any, owner: str) -> bool:
    own = layer.metadata.get(KEY)
    return isinstance(own, dict) and bool(own.get("preview")) and own.get("owner") == owner and not own.get("edited")
