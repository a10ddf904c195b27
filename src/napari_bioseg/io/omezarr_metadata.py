"""The metadata of OME-Zarr 0.5 and 0.4 (https://ngff.openmicroscopy.org/0.5/, https://ngff.openmicroscopy.org/0.4/)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_bioseg.io.pyramid import Level

VERSION = "0.5"
OLDER = "0.4"
TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space", "R": "position"}
PALETTE = ("00FFFF", "FF00FF", "FFFF00", "FF0000", "00FF00", "0000FF", "FFFFFF")
RGB = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"), ("alpha", "FFFFFF"))

Classes = Mapping[int, tuple[str, tuple[int, int, int, int]]]


def group_attributes(version: str, **entries: Any) -> dict[str, Any]:
    """Return the attributes of a group: under ``ome``, with the version, since 0.5; at the top before."""
    return {"ome": {"version": version, **entries}} if version == VERSION else entries


def multiscales(
    name: str, axes: str, units: Sequence[str | None], levels: Sequence[Level], kind: str, *, version: str
) -> dict[str, Any]:
    """Return the ``multiscales`` entry of an image or of labels; `kind` says how levels were made."""
    return ({} if version == VERSION else {"version": version}) | {
        "name": name,
        "type": kind,
        "axes": [_axis(a, unit) for a, unit in zip(axes, units, strict=True)],
        "datasets": [
            {
                "path": str(i),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [float(v) for v in level.scale]},
                    {"type": "translation", "translation": [float(v) for v in level.translate]},
                ],
            }
            for i, level in enumerate(levels)
        ],
    }


def _axis(letter: str, unit: str | None) -> dict[str, str]:
    entry = {"name": letter.lower(), "type": TYPES[letter]}
    return entry | {"unit": unit} if unit else entry


def omero(
    names: Sequence[str], ranges: Sequence[tuple[float, float]], dtype: np.dtype[Any], *, rgb: bool
) -> dict[str, Any]:
    """Return the ``omero`` entry: name, colour and contrast of each channel.

    Parameters
    ----------
    names : sequence of str
        One a channel, or empty.
    ranges : sequence of (float, float)
        Smallest and largest value of each channel.
    dtype : numpy.dtype
        Of the pixels; integers give the limits of the window.
    rgb : bool
        Whether the channels are the samples of a colour image.
    """
    channels = []
    for i, (low, high) in enumerate(ranges):
        name, color = RGB[i] if rgb else (names[i] if names else f"Channel {i}", _color(i, len(ranges)))
        ends = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "ui" else (low, high)
        window = {"min": float(ends[0]), "max": float(ends[1]), "start": float(low), "end": float(high)}
        channels.append({"label": name, "color": color, "active": True, "window": window})
    return {"channels": channels, "rdefs": {"model": "color" if len(channels) > 1 else "greyscale"}}


def _color(i: int, count: int) -> str:
    return "FFFFFF" if count == 1 else PALETTE[i % len(PALETTE)]


def image_label(classes: Classes, source: str, version: str) -> dict[str, Any]:
    """Return the ``image-label`` entry.

    ``colors`` is always there: readers (ome-zarr-models 1.6 among them) fail without it, and want the same values in
    ``properties``. Instances have an empty list: a viewer would hide every value that a longer one leaves out.
    """
    known: Classes = {0: ("background", (0, 0, 0, 0)), **classes} if classes else {}
    entry: dict[str, Any] = {
        "version": version,
        "colors": [{"label-value": value, "rgba": list(color)} for value, (_, color) in sorted(known.items())],
        "source": {"image": source},
    }
    if known:
        entry["properties"] = [{"label-value": value, "name": name} for value, (name, _) in sorted(known.items())]
    return entry
