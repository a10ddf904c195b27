"""Pixel size, channel names and our own notes out of a TIFF's metadata.

Sources, the most trusted first: OME-XML, ImageJ, Zeiss LSM, the resolution tags. OME-XML is read after the schema of
2016-06 (https://www.openmicroscopy.org/Schemas/Documentation/Generated/OME-2016-06/ome.html), whose default units are
µm and s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import tifffile

from napari_bioseg.core.axes import to_standard_unit
from napari_bioseg.io.raw import Calibration

NAMESPACE = "napari-bioseg"  # of our MapAnnotation: keys "provenance" and "geometry", both JSON
FINEST_PRINT = 25400.0 / 1200  # µm: a coarser step is likely a setting for print (72, 300 ... dpi)


def calibrate(tif: tifffile.TiffFile, series: int) -> Calibration:
    """Return the pixel size of one series, by axis letter."""
    pixels = _ome_pixels(tif, series)
    steps: dict[str, tuple[float, str | None]] = {}
    tags = tif.series[series].keyframe.tags
    steps.update(_from_tags(tags))
    steps.update(_from_lsm(tif))
    steps.update(_from_imagej(tif, tags))
    if pixels is not None:
        steps.update(_from_ome(pixels))
    known = {a: v for a, (v, unit) in steps.items() if unit is not None}
    return _with_notes(Calibration(known, {a: steps[a][1] for a in known}), own_notes(tif).get("geometry"))


def channel_names(tif: tifffile.TiffFile, series: int) -> tuple[str, ...]:
    """Return the channel names of OME-XML; empty when none is given."""
    pixels = _ome_pixels(tif, series)
    if pixels is None:
        return ()
    names = [channel.get("Name") for channel in named(pixels, "Channel")]
    return tuple(name or f"Channel {i}" for i, name in enumerate(names)) if any(names) else ()


def own_notes(tif: tifffile.TiffFile) -> dict[str, Any]:
    """Return what our writer noted in OME-XML: ``provenance`` and ``geometry``."""
    root = ome_root(tif)
    for annotation in () if root is None else named(root, "MapAnnotation"):
        if annotation.get("Namespace") == NAMESPACE:
            return {entry.get("K", ""): json.loads(entry.text or "null") for entry in named(annotation, "M")}
    return {}


def _with_notes(found: Calibration, geometry: dict[str, Any] | None) -> Calibration:
    # OME-XML has no place for a step without a unit, nor for where a crop lies.
    if geometry is None:
        return found
    axes = geometry["axes"]
    scale = dict(zip(axes, geometry["scale"], strict=True)) | dict(found.scale)
    return Calibration(scale, found.units, dict(zip(axes, geometry["translate"], strict=True)))


def named(element: ET.Element, name: str) -> Iterator[ET.Element]:
    """Find elements by name, in whatever namespace."""
    return (e for e in element.iter() if e.tag.rpartition("}")[2] == name)


def ome_root(tif: tifffile.TiffFile) -> ET.Element | None:
    """Return the parsed OME-XML; None when there is none or it is not XML."""
    xml = tif.ome_metadata
    try:
        # expat >= 2.4.1, in every Python we support, refuses the known expansion attacks; tifffile parses it as well.
        return ET.fromstring(xml) if xml else None  # noqa: S314
    except ET.ParseError:
        return None


def _ome_pixels(tif: tifffile.TiffFile, series: int) -> ET.Element | None:
    root = ome_root(tif)
    found = [] if root is None else list(named(root, "Pixels"))
    # tifffile may join several OME images into one series (Micro-Manager positions): they share their pixel size.
    return found[min(series, len(found) - 1)] if found else None


def _from_ome(pixels: ET.Element) -> dict[str, tuple[float, str | None]]:
    steps = {}
    for letter in "XYZ":
        steps[letter] = (pixels.get(f"PhysicalSize{letter}"), pixels.get(f"PhysicalSize{letter}Unit", "µm"))
    steps["T"] = (pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))
    return _standard({a: (_number(value), unit) for a, (value, unit) in steps.items()})


def _from_imagej(tif: tifffile.TiffFile, tags: tifffile.TiffTags) -> dict[str, tuple[float, str | None]]:
    found = tif.imagej_metadata or {}
    unit = str(found.get("unit", ""))
    steps: dict[str, tuple[float, str | None]] = {
        "T": (_number(found.get("finterval")), str(found.get("tunit") or "s"))
    }
    if unit:
        steps["Z"] = (abs(_number(found.get("spacing"))), unit)
        for letter, step in _resolution(tags).items():
            # ImageJ itself reads a tag in centimetres as such, whatever the description says.
            if not (_tag_unit(tags) == "cm" and _trusted(step * 1e4)):
                steps[letter] = (step, unit)
    return _standard(steps)


def _from_lsm(tif: tifffile.TiffFile) -> dict[str, tuple[float, str | None]]:
    found = tif.lsm_metadata or {}
    steps: dict[str, tuple[float, str | None]] = {a: (_number(found.get(f"VoxelSize{a}")), "m") for a in "XYZ"}
    return _standard(steps | {"T": (_number(found.get("TimeIntervall")), "s")})


def _from_tags(tags: tifffile.TiffTags) -> dict[str, tuple[float, str | None]]:
    unit = _tag_unit(tags)
    steps = _standard({a: (step, unit) for a, step in _resolution(tags).items()})
    return {a: (value, name) for a, (value, name) in steps.items() if _trusted(value)}


def _trusted(micrometers: float) -> bool:
    return 0 < micrometers < FINEST_PRINT


def _tag_unit(tags: tifffile.TiffTags) -> str:
    value = tags.valueof("ResolutionUnit", 2)
    return {2: "inch", 3: "cm"}.get(int(value or 0), "")


def _resolution(tags: tifffile.TiffTags) -> dict[str, float]:
    """Return steps in the tags' unit: the tags give pixels per unit, as a fraction."""
    steps = {}
    for letter in "XY":
        value = tags.valueof(f"{letter}Resolution", (0, 1))
        pixels, units = value if isinstance(value, tuple) else (value, 1)
        if pixels and units:
            steps[letter] = units / pixels
    return steps


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _standard(steps: dict[str, tuple[float, str | None]]) -> dict[str, tuple[float, str | None]]:
    standard = {a: to_standard_unit(a, value, unit) for a, (value, unit) in steps.items() if value > 0}
    return {a: step for a, step in standard.items() if step[1] is not None}
