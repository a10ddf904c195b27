"""Colours of labels and channels as napari wants them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.utils.colormaps import DirectLabelColormap

    from napari_bioseg.core.prediction import ClassInfo

CHANNELS = ("cyan", "magenta", "yellow", "red", "green", "blue")
TRANSPARENT = (0.0, 0.0, 0.0, 0.0)


def channel_colormap(i: int, count: int) -> str:
    """Return the colormap of one channel among `count`, overlaid additively."""
    if count == 1:
        return "gray"
    return ("green", "magenta")[i] if count == 2 else CHANNELS[i % len(CHANNELS)]


def class_colormap(classes: Iterable[ClassInfo]) -> DirectLabelColormap:
    """Return a colormap that shows each class in the colour of its model's card, and nothing else."""
    return _direct({c.value: hex_to_rgba(c.color) for c in classes})


def stored_colormap(metadata: Mapping[str, Any]) -> DirectLabelColormap | None:
    """Return the colours an OME-Zarr names for its label values; None when it names none but the background's."""
    entries = metadata.get("image-label", {}).get("colors", [])
    colors = {int(e["label-value"]): _bytes_to_rgba(e["rgba"]) for e in entries if e.get("rgba")}
    colors.pop(0, None)
    return _direct(colors) if colors else None


def hex_to_rgba(color: str) -> tuple[float, float, float, float]:
    """Turn ``#rrggbb`` into four numbers from 0 to 1."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue, 1.0


def _bytes_to_rgba(values: Iterable[int]) -> tuple[float, ...]:
    return tuple(v / 255 for v in values)


def _direct(colors: Mapping[int, tuple[float, ...]]) -> DirectLabelColormap:
    from napari.utils.colormaps import DirectLabelColormap

    return DirectLabelColormap(color_dict=dict([(None, TRANSPARENT), (0, TRANSPARENT), *colors.items()]))
