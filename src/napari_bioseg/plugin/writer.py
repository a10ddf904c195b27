"""Labels layers to files, from napari's own Save dialog."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_bioseg.core.axes import example
from napari_bioseg.plugin.colors import hex_to_rgba
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.placing import axes_said, placement_said


def write_labels(path: str, data: Any, attributes: Mapping[str, Any]) -> list[str]:
    """Write a Labels layer as TIFF, OME-TIFF or OME-Zarr, by the ending of `path`.

    A Zarr that holds an image is kept, and the labels are added to it under the name of the layer. Scale, translation
    and units of the layer are kept, and the provenance of labels that a model made.

    The image that labels were made from is never replaced. Labels that were opened from a file may be saved back to
    it, unless they are still read from there: what the layer shows would be lost with the old file.

    Parameters
    ----------
    path : str
        ``.tif``, ``.tiff``, ``.ome.tif``, ``.ome.zarr`` or ``.zarr``.
    data : array or sequence of arrays
        Integers; of a pyramid the full resolution is written.
    attributes : Mapping
        As napari gives them.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    UnwritableFileError
        The labels do not fit uint32, the file cannot be written, is the image that they were made from or is still
        being read, or the image has other labels of that name.
    """
    from napari_bioseg.io import (
        LabelsToWrite,
        add_labels,
        holds_image,
        write_labels_tiff,
        write_ome_zarr,
    )

    labels = data if hasattr(data, "dtype") else data[0]
    axes = axes_said(labels.ndim, attributes, "RTCZYX") or example(labels.ndim)
    scale, units, translate = placement_said(axes, attributes)
    own = attributes.get("metadata", {}).get(KEY, {})
    provenance, source = _history(own)
    if own.get("edited"):
        provenance["edited"] = True
    zarr, target = path.lower().endswith(".zarr"), Path(path)
    item = LabelsToWrite(labels, axes, scale, units, translate, _classes(own))
    name = _label_name(attributes)
    if zarr and holds_image(target):
        back = _in_memory(labels) and source is not None and source.resolve() == (target / "labels" / name).resolve()
        add_labels(path, name, item, provenance=provenance, overwrite=back)
        return [str(target)]
    _check_replaceable(target, labels, own, provenance, source)
    if zarr:
        write_ome_zarr(path, None, {name: item}, provenance=provenance)
    else:
        write_labels_tiff(path, labels, axes, scale=scale, units=units, translate=translate, metadata=provenance)
    return [str(target)]


def _history(own: Mapping[str, Any]) -> tuple[dict[str, Any], Path | None]:
    """Return the provenance of labels, and the file that they were opened from."""
    image = own.get("image")
    if image is None:
        return dict(own.get("provenance", {})), own.get("source")
    # Opened as an image, and made labels in napari. What an OME-Zarr with labels tells is of those.
    return dict({} if image.labels else image.metadata.get("provenance", {})), image.source


def _check_replaceable(
    target: Path, labels: Any, own: Mapping[str, Any], provenance: Mapping[str, Any], source: Path | None
) -> None:
    from napari_bioseg.io import check_not_source

    if "correction" in own:
        for image in own["correction"].project.info.image.places(own["correction"].project.folder):
            check_not_source(target, image)
    if "result" in own:
        check_not_source(target, own["result"].request.image.source)
    if provenance.get("source"):
        # A name that was given on the command line is most often one beside the labels.
        check_not_source(target, (source or target).parent / provenance["source"])
    if not _in_memory(labels):
        check_not_source(target, source)


def _in_memory(labels: Any) -> bool:
    return isinstance(labels, np.ndarray)


def _classes(own: Mapping[str, Any]) -> dict[int, tuple[str, tuple[int, int, int, int]]]:
    prediction = own.get("prediction")
    if prediction is None or own.get("provenance", {}).get("options", {}).get("instances"):
        return {}  # the values are numbers of objects
    return {c.value: (c.name, _bytes(c.color)) for c in prediction.classes}


def _bytes(color: str) -> tuple[int, int, int, int]:
    red, green, blue, alpha = (round(255 * v) for v in hex_to_rgba(color))
    return red, green, blue, alpha


def _label_name(attributes: Mapping[str, Any]) -> str:
    name = str(attributes.get("name", "labels")).split(" · ")[-1]
    return re.sub(r'[\\/:*?"<>|\s]+', "_", name).strip("._") or "labels"
