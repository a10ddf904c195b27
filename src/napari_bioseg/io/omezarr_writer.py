"""OME-Zarr 0.5 (zarr format 3) and 0.4 (format 2): an image, its labels, and where they came from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr

from napari_bioseg.core.errors import UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.io.omezarr import OWN, holds_image, list_series, ome, open_store
from napari_bioseg.io.omezarr_metadata import OLDER, VERSION, Classes, group_attributes, image_label, multiscales, omero
from napari_bioseg.io.omezarr_store import Region, count_regions, fill, fill_next, make_array
from napari_bioseg.io.pyramid import Level, halve_mean, halve_mode, plan_levels
from napari_bioseg.io.writing import ZARR_MARKS, as_labels, check_not_source, check_target

ORDER = "TRCZYX"  # the specification: time, then channel or another kind, then space


@dataclass(frozen=True)
class LabelsToWrite:
    """Labels and where they lie.

    Attributes
    ----------
    array : numpy.ndarray, zarr.Array or dask.array.Array
        Integers; written as uint32.
    axes : str
        One letter a dimension.
    scale, units, translate : tuple
        As in `Image`.
    classes : Mapping
        Name and RGBA colour (0 to 255) of a value; empty for instances.
    """

    array: Any
    axes: str
    scale: tuple[float, ...]
    units: tuple[str | None, ...]
    translate: tuple[float, ...]
    classes: Classes = field(default_factory=dict)


def write_ome_zarr(
    path: str | Path,
    image: Image | None,
    labels: Mapping[str, LabelsToWrite],
    *,
    provenance: Mapping[str, Any],
    job: Job | None = None,
    link: bool = False,
    overwrite: bool = True,
    version: str = VERSION,
) -> None:
    """Write an OME-Zarr: complete, or not at all.

    RGB becomes three channels (OME-Zarr has no samples); positions (``R``) become an axis of an own kind. Labels that
    came with `image` are not copied.

    Parameters
    ----------
    path : str or Path
        The folder to make, ``.zarr`` or ``.ome.zarr``.
    image : Image or None
        Copied with a new pyramid; None writes labels alone.
    labels : Mapping of str to LabelsToWrite
        By name.
    provenance : Mapping
        Model, hashes, recipe, version: plain JSON values, kept under ``bioseg`` in the attributes.
    job : Job, optional
        Counts regions of shards; stopped within one.
    link : bool
        Refer to the image instead of copying it, when it is a local OME-Zarr; other formats are copied all the same.
    overwrite : bool
        Whether an existing store is replaced, once the new one is complete.
    version : str
        ``"0.5"``, or ``"0.4"`` for programs that cannot read that yet: the same chunks, but each a file of its own.

    Raises
    ------
    UnwritableFileError
        It is another version, the axes have no place in OME-Zarr, a label does not fit uint32, a name is unusable, no
        such folder, a full disk, or the store exists and must not be replaced: never one that `image` was read from,
        nor one that holds an image when there is none to take its place.
    Cancelled
        The user stopped the job; nothing is left behind.
    """
    target, job = Path(path), job or Job()
    if version not in (VERSION, OLDER):
        raise UnwritableFileError(str(target), f"OME-Zarr {version} is not written", f"Ask for {VERSION} or {OLDER}")
    for name in labels:
        _check_name(name, target)
    own: dict[str, Any] = {"provenance": dict(provenance)}
    with writing(target):
        check_target(target)
        if image is not None:
            check_not_source(target, image.source)
        elif holds_image(target):
            raise UnwritableFileError(str(target), "holds an image", "Choose another name")
    linked = _linkable(image) if link else None
    if linked is not None:
        own["image"] = _relative(linked, target)
    with writing(target), whole_or_nothing(target, overwrite=overwrite) as temporary:
        root = zarr.create_group(temporary, zarr_format=3 if version == VERSION else 2)
        root.attrs.put({**group_attributes(version), OWN: own})
        if image is not None and linked is None:
            _write_image(root, image, target, job)
        if labels:
            folder = root.create_group("labels", attributes=group_attributes(version, labels=list(labels)))
            source = "../../" if linked is None else _relative(linked, target / "labels" / "any")
            for name, item in labels.items():
                _write_labels(folder, name, item, target=target, source=source, own=own["provenance"], job=job)


def add_labels(
    path: str | Path,
    name: str,
    labels: LabelsToWrite,
    *,
    provenance: Mapping[str, Any],
    job: Job | None = None,
    overwrite: bool = False,
) -> None:
    """Add labels to an OME-Zarr 0.5: they appear complete or not at all.

    Parameters
    ----------
    path : str or Path
        The store.
    name : str
        Name of the labels.
    labels : LabelsToWrite
        What to add.
    provenance : Mapping
        As for `write_ome_zarr`.
    job : Job, optional
        Counts regions of shards.
    overwrite : bool
        Whether labels of that name are replaced.

    Raises
    ------
    UnwritableFileError
        `path` is no OME-Zarr 0.5 or holds several images, the name is unusable or taken, or as for `write_ome_zarr`.
    Cancelled
        The user stopped the job; the store is as it was.
    """
    target, job = Path(path), job or Job()
    _check_name(name, target)
    root = _own_group(target)
    folder_path = target / "labels"
    own = root.attrs.get(OWN)
    linked = own.get("image") if isinstance(own, Mapping) else None
    source = "../../" if linked is None else _relative((target / str(linked)).resolve(), folder_path / name)
    first = "labels" not in root
    place = folder_path if first else folder_path / name
    with writing(target):
        with whole_or_nothing(place, overwrite=overwrite and not first) as temporary:
            # The first labels bring the folder of labels with them, so that none is left when they do not come.
            listing = group_attributes(VERSION, labels=[name])
            folder = root.create_group(temporary.name, attributes=listing) if first else root["labels"]
            if not isinstance(folder, zarr.Group):
                raise UnwritableFileError(str(folder_path), "is an array", "Save the labels to a new OME-Zarr")
            inner = name if first else temporary.name
            _write_labels(folder, inner, labels, target=target, source=source, own=provenance, job=job, title=name)
        _list_labels(folder_path, name)
        _forget_consolidated(target)


def _version(group: zarr.Group) -> str:
    return VERSION if group.metadata.zarr_format == 3 else OLDER


def _own_group(path: Path) -> zarr.Group:
    try:
        root = zarr.open_group(path, mode="r+", zarr_format=3, use_consolidated=False)
    except (FileNotFoundError, ValueError, OSError) as error:
        raise UnwritableFileError(str(path), "is no OME-Zarr 0.5", "Save the labels to a new OME-Zarr") from error
    attributes = ome(root)
    if str(attributes.get("version")) != VERSION:
        raise UnwritableFileError(str(path), "is no OME-Zarr 0.5", "Save the labels to a new OME-Zarr")
    if {"plate", "well", "bioformats2raw.layout"} & set(attributes):
        raise UnwritableFileError(str(path), "holds several images", "Give one of them, e.g. the folder 0 in it")
    return root


def _list_labels(folder: Path, name: str) -> None:
    document = _document(folder)
    entry = document.setdefault("attributes", {}).setdefault("ome", {"version": VERSION})
    entry["labels"] = [*(n for n in entry.get("labels", []) if n != name), name]
    _write_document(folder, document)


def _forget_consolidated(store: Path) -> None:
    """Drop the copy of all metadata that the root may hold: it knows nothing of the new labels and would hide them."""
    document = _document(store)
    if document.pop("consolidated_metadata", None) is not None:
        _write_document(store, document)


def _document(group: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((group / "zarr.json").read_text(encoding="utf-8"))
    return document


def _write_document(group: Path, document: Mapping[str, Any]) -> None:
    # Written beside and renamed: a reader sees the old document or the new one.
    with whole_or_nothing(group / "zarr.json") as temporary:
        temporary.write_text(json.dumps(document, indent=2), encoding="utf-8")


def _check_name(name: str, path: Path) -> None:
    if not name or name.startswith((".", "__")) or set(name) & set('/\\:*?"<>|') or name == "zarr.json":
        raise UnwritableFileError(str(path), f"{name!r} is no name for labels", "Use letters, digits, - and _")


def _linkable(image: Image | None) -> Path | None:
    if image is None or image.source is None or not image.source.is_dir():
        return None
    node = open_store(image.source) if any((image.source / m).exists() for m in ZARR_MARKS) else None
    if not (isinstance(node, zarr.Group) and "multiscales" in ome(node)):
        return None
    # A crop, or an image under other axes, is not what its source holds.
    stored = list_series(image.source)[0]
    return image.source.resolve() if (stored.shape, stored.axes) == (image.shape, image.axes) else None


def _relative(target: Path, start: Path) -> str:
    try:
        return Path(os.path.relpath(target, start.resolve())).as_posix()
    except ValueError:  # another drive on Windows
        return target.as_posix()


def _ordered(axes: str, path: Path) -> tuple[tuple[int, ...], str]:
    """Return the transposition into OME-Zarr's order; colour samples become channels."""
    letters = axes.replace("S", "C")
    if len(set(letters)) != len(letters) or {"R", "C"} <= set(letters):
        problem = f"OME-Zarr has no place for axes {axes}"
        raise UnwritableFileError(str(path), problem, "Save one channel or one position at a time")
    order = tuple(sorted(range(len(letters)), key=lambda i: ORDER.index(letters[i])))
    return order, "".join(letters[i] for i in order)


def _transposed(array: Any, order: tuple[int, ...]) -> Any:
    if order == tuple(range(len(order))):
        return array
    lazy: Any = array if hasattr(array, "transpose") else da.from_array(array)  # type: ignore[no-untyped-call]
    return lazy.transpose(order)


def _picked(values: tuple[Any, ...], order: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple(values[i] for i in order)


class _Ranges:
    """Smallest and largest value of each channel, gathered as regions go by."""

    def __init__(self, axes: str, shape: tuple[int, ...]) -> None:
        self._axis = axes.find("C")
        count = shape[self._axis] if self._axis >= 0 else 1
        self.values = [(np.inf, -np.inf)] * count

    def __call__(self, region: Region, block: Any) -> None:
        first = region[self._axis].start if self._axis >= 0 else 0
        for i, channel in enumerate(np.moveaxis(block, self._axis, 0) if self._axis >= 0 else block[None]):
            finite = channel[np.isfinite(channel)] if channel.dtype.kind == "f" else channel
            if finite.size:
                low, high = self.values[first + i]
                self.values[first + i] = (min(low, float(finite.min())), max(high, float(finite.max())))

    def windows(self) -> list[tuple[float, float]]:
        """Return the ranges; 0 to 1 for a channel without a finite value."""
        return [(low, high) if low <= high else (0.0, 1.0) for low, high in self.values]


def _write_image(root: zarr.Group, image: Image, target: Path, job: Job) -> None:
    order, axes = _ordered(image.axes, target)
    source = _transposed(image.data, order)
    levels = plan_levels(source.shape, axes, _picked(image.scale, order), _picked(image.translate, order))
    ranges = _Ranges(axes, source.shape)
    arrays = [make_array(root, str(i), level, axes, image.dtype) for i, level in enumerate(levels)]
    job.stage("Writing image", count_regions(arrays, source))
    fill(arrays[0], source, lambda block: block, job, ranges)
    for finer, array, level in zip(arrays, arrays[1:], levels[1:], strict=False):
        fill_next(array, finer, level.factors, halve_mode if image.dtype.kind == "b" else halve_mean, job)
    version = _version(root)
    scales = multiscales(image.name, axes, _picked(image.units, order), levels, "mean", version=version)
    channels = omero(image.channel_names, ranges.windows(), image.dtype, rgb="S" in image.axes)
    root.attrs.update(group_attributes(version, multiscales=[scales], omero=channels))


def _write_labels(
    folder: zarr.Group,
    name: str,
    item: LabelsToWrite,
    *,
    target: Path,
    source: str,
    own: Mapping[str, Any],
    job: Job,
    title: str | None = None,
) -> None:
    order, axes = _ordered(item.axes, target)
    array = _transposed(item.array, order)
    shape = tuple(int(n) for n in array.shape)
    levels: tuple[Level, ...] = plan_levels(shape, axes, _picked(item.scale, order), _picked(item.translate, order))
    group = folder.create_group(name)
    arrays = [make_array(group, str(i), level, axes, np.dtype(np.uint32)) for i, level in enumerate(levels)]
    job.stage(f"Writing labels {title or name}", count_regions(arrays, array))
    fill(arrays[0], array, lambda block: as_labels(block, target), job)
    for finer, coarser, level in zip(arrays, arrays[1:], levels[1:], strict=False):
        fill_next(coarser, finer, level.factors, halve_mode, job)
    version = _version(folder)
    scales = multiscales(title or name, axes, _picked(item.units, order), levels, "mode", version=version)
    entries: dict[str, Any] = {"multiscales": [scales], "image-label": image_label(item.classes, source, version)}
    group.attrs.put({**group_attributes(version, **entries), OWN: {"provenance": dict(own)}})
