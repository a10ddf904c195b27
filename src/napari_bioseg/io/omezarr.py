"""OME-Zarr 0.1 to 0.5 (zarr formats 2 and 3) and plain zarr arrays.

Specification: https://ngff.openmicroscopy.org/0.5/ . Also plates and wells (each field a series), bioformats2raw's
layout (each image a series), and our own stores that refer to their image instead of copying it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import zarr

from napari_bioseg.core.axes import KNOWN, SPATIAL, to_standard_unit
from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.core.image import Image
from napari_bioseg.io.arrangement import UNKNOWN
from napari_bioseg.io.lazy import grown_chunks, lazy
from napari_bioseg.io.planes import natural
from napari_bioseg.io.raw import Calibration, RawImage, SeriesInfo, check_series, series_info, to_image
from napari_bioseg.io.writing import ZARR_MARKS

Node = zarr.Group | zarr.Array[Any]
OWN = "bioseg"  # our key among the attributes: provenance, and where the image is when it is not copied
TYPES = {"time": "T", "channel": "C"}
WORDS = {"TIME": "T", "CHANNEL": "C", "POSITION": "R"}


def read(path: Path, series: int) -> RawImage:
    """Open one image of a store.

    Raises
    ------
    UnreadableFileError
        There is no image in it, an array is missing, a linked image is missing, or there is no such series.
    """
    root = open_store(path)
    link = _link(root, path)
    if link is not None:
        check_series(series, 1, path)
        return _linked(root, path, link)
    images = _images(root)
    if not images:
        raise UnreadableFileError(str(path), "is a zarr group without images", "Choose a group or an array inside it")
    check_series(series, len(images), path)
    name, node = images[series]
    raw = _plain(node, path) if isinstance(node, zarr.Array) else _multiscale(node, path)
    return (
        replace(raw, name=f"{path.name.removesuffix('.zarr').removesuffix('.ome')} {name}") if len(images) > 1 else raw
    )


def list_series(path: Path) -> tuple[SeriesInfo, ...]:
    """Describe every image of a store."""
    root = open_store(path)
    link = _link(root, path)
    if link is not None:
        return list_series(link)[:1]
    return tuple(_describe(name, node, path) for name, node in _images(root))


def open_store(path: Path) -> Node:
    """Open a store to read, by what lies in it: consolidated metadata may be older."""
    return zarr.open(path, mode="r", use_consolidated=False)


def holds_image(path: Path) -> bool:
    """Whether there is a store that holds or refers to more than labels; one that cannot be understood counts too.

    Parameters
    ----------
    path : Path
        Anything, there or not.
    """
    if not any((path / mark).exists() for mark in ZARR_MARKS):
        return False
    try:
        root = open_store(path)
        if isinstance(root, zarr.Array) or _link(root, path) is not None:
            return True
        return bool(_own_images(root) or _children(root))
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it may be someone's image
        return True


def ome(node: Node) -> dict[str, Any]:
    """Return the OME metadata of a group: under ``ome`` since 0.5, at the top before."""
    attributes: dict[str, Any] = dict(node.attrs)
    inner = attributes.get("ome")
    return dict(inner) if isinstance(inner, Mapping) else attributes


def _link(root: Node, path: Path) -> Path | None:
    own = root.attrs.get(OWN)
    target = own.get("image") if isinstance(own, Mapping) else None
    return (path / str(target)).resolve() if target else None


def _linked(root: Node, path: Path, target: Path) -> RawImage:
    if not target.exists():
        raise UnreadableFileError(str(path), f"the image it refers to is missing: {target}", "Put it back there")
    image = read(target, 0)
    return replace(image, labels=_labels(root, path), metadata={**image.metadata, **_own_metadata(root)})


def _images(root: Node) -> list[tuple[str, Node]]:
    """Return the images of a store with their names: itself, its series, its fields, its labels, or its arrays."""
    if isinstance(root, zarr.Array):
        return [("", root)]
    return _own_images(root) or _label_images(root) or _children(root)


def _own_images(root: zarr.Group) -> list[tuple[str, Node]]:
    attributes = ome(root)
    if "multiscales" in attributes:
        return [("", root)]
    if "plate" in attributes:
        wells = [well["path"] for well in attributes["plate"]["wells"]]
        return [(f"{w}/{i['path']}", root[f"{w}/{i['path']}"]) for w in wells for i in ome(root[w])["well"]["images"]]
    if "well" in attributes:
        return [(i["path"], root[i["path"]]) for i in attributes["well"]["images"]]
    return []


def _label_images(root: zarr.Group) -> list[tuple[str, Node]]:
    """Return the labels of a store without an image, or of a folder of labels."""
    attributes = ome(root)
    if "labels" in attributes:
        return [(name, root[name]) for name in attributes["labels"]]
    folder = root.get("labels")
    if "bioformats2raw.layout" in attributes or not isinstance(folder, zarr.Group) or "labels" not in ome(folder):
        return []
    return _label_images(folder)


def _children(root: zarr.Group) -> list[tuple[str, Node]]:
    children = sorted(root.members(), key=lambda member: natural(member[0]))
    return [(n, c) for n, c in children if isinstance(c, zarr.Array) or "multiscales" in ome(c)]


def _describe(name: str, node: Node, path: Path) -> SeriesInfo:
    if isinstance(node, zarr.Array):
        return series_info(name, _plain_axes(node), node.shape, node.dtype, path)
    multiscale = ome(node)["multiscales"][0]
    array = _array(node, multiscale["datasets"][0]["path"], path)
    return series_info(name, _axes(multiscale, array.ndim), array.shape, array.dtype, path)


def _plain(array: zarr.Array[Any], path: Path) -> RawImage:
    return RawImage(levels=(_lazy(array, path),), axes=_plain_axes(array))


def _plain_axes(array: zarr.Array[Any]) -> str:
    names: Any = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    letters = "".join(_named(str(name or "").upper()) for name in names)
    known = letters.replace(UNKNOWN, "")
    if len(letters) != array.ndim or len(set(known)) != len(known):
        letters = known = UNKNOWN * array.ndim
    if not {"Y", "X"} & set(letters) and letters.endswith(UNKNOWN * 2):
        return letters[:-2] + "YX"
    return letters


def _named(name: str) -> str:
    return name if len(name) == 1 and name in KNOWN else WORDS.get(name, UNKNOWN)


def _multiscale(group: zarr.Group, path: Path) -> RawImage:
    attributes = ome(group)
    multiscale = attributes["multiscales"][0]
    arrays = [_array(group, dataset["path"], path) for dataset in multiscale["datasets"]]
    axes = _axes(multiscale, arrays[0].ndim)
    steps = [_placement(multiscale, dataset, axes) for dataset in multiscale["datasets"]]
    return RawImage(
        levels=tuple(_lazy(array, path) for array in arrays),
        axes=axes,
        calibration=steps[0],
        level_scales=tuple(step.scale for step in steps) if len(steps) > 1 else (),
        name=str(multiscale.get("name") or "").strip("/"),
        channel_names=_channel_names(attributes),
        labels=_labels(group, path),
        metadata=_own_metadata(group)
        | ({"image-label": attributes["image-label"]} if "image-label" in attributes else {}),
    )


def _own_metadata(node: Node) -> dict[str, Any]:
    own = node.attrs.get(OWN)
    return {"provenance": own["provenance"]} if isinstance(own, Mapping) and "provenance" in own else {}


def _array(group: zarr.Group, name: str, path: Path) -> zarr.Array[Any]:
    node = group.get(name)
    if not isinstance(node, zarr.Array):
        raise UnreadableFileError(str(path), f"its level {name!r} is missing", "The store is damaged; copy it again")
    return node


def _lazy(array: zarr.Array[Any], path: Path) -> Any:
    plane = (array.ndim - 2, array.ndim - 1)
    chunks = grown_chunks(array.chunks, array.shape, array.dtype.itemsize, plane) if array.ndim > 1 else array.chunks
    return lazy(array, path, chunks)


def _axes(multiscale: Mapping[str, Any], ndim: int) -> str:
    given = multiscale.get("axes")
    if not given:
        return "TCZYX"[-ndim:]  # 0.1 and 0.2 fix the order and do not write it down
    entries = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in given]
    letters = [_letter(axis) for axis in entries]
    space = [i for i, axis in enumerate(entries) if axis.get("type") == "space" or letters[i] in SPATIAL]
    if any(letters[i] not in SPATIAL for i in space):
        for i, letter in zip(space, SPATIAL[-len(space) :], strict=True):
            letters[i] = letter
    return "".join(letters)


def _letter(axis: Mapping[str, Any]) -> str:
    return TYPES.get(str(axis.get("type")), _named(str(axis["name"]).upper()))


def _placement(multiscale: Mapping[str, Any], dataset: Mapping[str, Any], axes: str) -> Calibration:
    """Return scale and translation of a level: the dataset's own first, then the one of the whole multiscale."""
    ndim = len(axes)
    inner = _transform(dataset.get("coordinateTransformations"), ndim)
    outer = _transform(multiscale.get("coordinateTransformations"), ndim)
    given = multiscale.get("axes") or [{}] * ndim
    scale: dict[str, float] = {}
    units: dict[str, str | None] = {}
    translate: dict[str, float] = {}
    for i, letter in enumerate(axes):
        unit = given[i].get("unit") if isinstance(given[i], Mapping) else None
        factor, units[letter] = to_standard_unit(letter, 1.0, unit)
        scale[letter] = inner[0][i] * outer[0][i] * factor
        translate[letter] = (inner[1][i] * outer[0][i] + outer[1][i]) * factor
    return Calibration(scale, units, translate)


def _transform(entries: list[Mapping[str, Any]] | None, ndim: int) -> tuple[list[float], list[float]]:
    scale, translate = [1.0] * ndim, [0.0] * ndim
    for entry in entries or []:
        if entry["type"] == "scale":
            scale = [float(v) for v in entry["scale"]]
        elif entry["type"] == "translation":
            translate = [float(v) for v in entry["translation"]]
    return scale, translate


def _channel_names(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    channels = attributes.get("omero", {}).get("channels", [])
    names = [channel.get("label") for channel in channels]
    return tuple(str(n) if n else f"Channel {i}" for i, n in enumerate(names)) if any(names) else ()


def _labels(group: Node, path: Path) -> tuple[Image, ...]:
    if not isinstance(group, zarr.Group) or "labels" not in group:
        return ()
    folder = group["labels"]
    found = []
    for name in ome(folder).get("labels", []):
        node = folder.get(name) if isinstance(folder, zarr.Group) else None
        if isinstance(node, zarr.Group) and "multiscales" in ome(node):
            raw = replace(_multiscale(node, path), name=str(name))
            found.append(to_image(raw, path / "labels" / str(name), None))
    return tuple(found)
