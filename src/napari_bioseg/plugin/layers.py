"""From an `Image` to napari layers, without loading its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bioseg.core.image import Image
from napari_bioseg.plugin.colors import channel_colormap, stored_colormap
from napari_bioseg.plugin.contrast import contrast_limits

if TYPE_CHECKING:
    import dask.array as da

LayerData = tuple[Any, dict[str, Any], str]

KEY = "bioseg"  # ours among a layer's metadata
MOST_CHANNELS = 7  # beyond it, channels are a slider rather than layers
EDITABLE_BYTES = 2**26  # labels up to this size are loaded, since napari paints on arrays only


@dataclass(frozen=True)
class Origin:
    """How an image was opened, so that the command line can open it the same way.

    Attributes
    ----------
    axes : str or None
        Axes that the user gave, in the file's order; None when the file said them.
    series : int
        Which image of a file with several.
    """

    axes: str | None = None
    series: int = 0


def is_overlay(layer: Any) -> bool:
    """Whether a layer of ours only shows something of another one: what was changed, or where a model is unsure."""
    own = layer.metadata.get(KEY)
    return isinstance(own, dict) and bool(own.get("overlay"))


def image_layers(image: Image, origin: Origin | None = None, *, visible: bool = True) -> list[LayerData]:
    """Return napari layers for an image and the labels stored with it.

    Channels become layers of their own, overlaid additively; more than `MOST_CHANNELS` stay one axis. The
    image itself is kept in ``metadata["bioseg"]["image"]``.

    Parameters
    ----------
    image : Image
        Any axes of ``RTCZYXS``.
    origin : Origin, optional
        How it was opened.
    visible : bool
        Whether the layers are shown at first.
    """
    count = image.shape[image.axis("C")] if "C" in image.axes else 1
    split = "C" in image.axes and count <= MOST_CHANNELS
    if not split:
        image = channels_first(image)
    channels: Sequence[int | None] = range(count) if split else (None,)
    pictures = [_picture(image, channel, origin or Origin(), visible) for channel in channels]
    return pictures + [layer for labels in image.labels for layer in label_layers(labels, image.name)]


def label_layers(labels: Image, owner: str | None = None) -> list[LayerData]:
    """Return a Labels layer for a label image; its channel axis, if any, gives one layer a channel."""
    count = labels.shape[labels.axis("C")] if "C" in labels.axes else 0
    parts = [channel_of(labels, c) for c in range(count)] if count else [labels]
    name = labels.name if owner is None else f"{owner} · {labels.name}"
    return [_labels(part, name if count < 2 else f"{name} {i}") for i, part in enumerate(parts)]


def channels_first(image: Image) -> Image:
    """Return the image with its channel axis in front.

    napari aligns layers by their last axes, so that labels, which have no channels, lie right only then.
    """
    at = image.axis("C")
    if at <= 0:
        return image
    order = (at, *(i for i in range(len(image.axes)) if i != at))
    return replace(
        image,
        levels=tuple(level.transpose(order) for level in image.levels),  # type: ignore[no-untyped-call]
        axes="".join(image.axes[i] for i in order),
        scale=tuple(image.scale[i] for i in order),
        units=tuple(image.units[i] for i in order),
        translate=tuple(image.translate[i] for i in order),
        level_scales=tuple(tuple(s[i] for i in order) for s in image.level_scales),
    )


def channel_of(image: Image, channel: int) -> Image:
    """Return one channel of an image, without its channel axis."""
    at = image.axis("C")
    keep = [i for i in range(len(image.axes)) if i != at]
    index = (slice(None),) * at + (channel,)
    return replace(
        image,
        levels=tuple(level[index] for level in image.levels),
        axes="".join(image.axes[i] for i in keep),
        scale=tuple(image.scale[i] for i in keep),
        units=tuple(image.units[i] for i in keep),
        translate=tuple(image.translate[i] for i in keep),
        level_scales=tuple(tuple(s[i] for i in keep) for s in image.level_scales),
        channel_names=(),
    )


def geometry(image: Image) -> dict[str, Any]:
    """Return what places a layer in the world: scale, translation, units and axis labels, without samples."""
    n = len(image.axes.removesuffix("S")) if image.rgb else len(image.axes)
    return {
        "scale": image.scale[:n],
        "translate": image.translate[:n],
        "units": tuple(unit or "pixel" for unit in image.units[:n]),
        "axis_labels": tuple(image.axes[:n].lower()),
    }


def _picture(image: Image, channel: int | None, origin: Origin, visible: bool) -> LayerData:
    shown = image if channel is None else channel_of(image, channel)
    count = 1 if channel is None else image.shape[image.axis("C")]
    attributes: dict[str, Any] = {
        **geometry(shown),
        "name": _name(image, channel, count),
        "metadata": {KEY: {"image": image, "channel": channel, "origin": origin}},
        "rgb": image.rgb,
        "multiscale": len(shown.levels) > 1,
        "visible": visible,
    }
    if not image.rgb:
        attributes["colormap"] = channel_colormap(channel or 0, count)
        attributes["blending"] = "additive" if channel else "translucent_no_depth"
        limits = contrast_limits(shown.levels[-1])
        if limits is not None:
            attributes["contrast_limits"] = limits
    return _data(shown.levels), attributes, "image"


def _name(image: Image, channel: int | None, count: int) -> str:
    if channel is None or count == 1:
        return image.name
    names = image.channel_names
    return f"{image.name} · {names[channel] if channel < len(names) else f'channel {channel}'}"


def _labels(labels: Image, name: str) -> LayerData:
    attributes: dict[str, Any] = {
        **geometry(labels),
        "name": name,
        "metadata": {KEY: {"provenance": dict(labels.metadata.get("provenance", {})), "source": labels.source}},
    }
    colormap = stored_colormap(labels.metadata)
    if colormap is not None:
        attributes["colormap"] = colormap
    levels = tuple(_integers(level) for level in labels.levels)
    if levels[0].nbytes <= EDITABLE_BYTES:
        return np.asarray(levels[0]), attributes | {"multiscale": False}, "labels"
    return _data(levels), attributes | {"multiscale": len(levels) > 1}, "labels"


def _integers(level: da.Array) -> da.Array:
    whole: da.Array = level if level.dtype.kind in "ui" else level.astype(np.uint32)  # type: ignore[no-untyped-call]
    return whole


def _data(levels: tuple[da.Array, ...]) -> Any:
    return list(levels) if len(levels) > 1 else levels[0]
