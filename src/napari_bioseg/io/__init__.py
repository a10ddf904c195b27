"""Files in, files out: lazy readers and whole-or-nothing writers.

Importing this room is cheap; tifffile, zarr, dask and nibabel are loaded when a function is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_bioseg.io.omezarr import holds_image
    from napari_bioseg.io.omezarr_writer import LabelsToWrite, add_labels, write_ome_zarr
    from napari_bioseg.io.opening import can_open, list_series, open_image
    from napari_bioseg.io.public import PUBLIC_IMAGES, PublicImage, open_public_image
    from napari_bioseg.io.raw import SeriesInfo
    from napari_bioseg.io.tiff_writer import write_image_tiff, write_labels_tiff
    from napari_bioseg.io.writing import check_not_source

__all__ = [
    "PUBLIC_IMAGES",
    "LabelsToWrite",
    "PublicImage",
    "SeriesInfo",
    "add_labels",
    "can_open",
    "check_not_source",
    "holds_image",
    "list_series",
    "open_image",
    "open_public_image",
    "write_image_tiff",
    "write_labels_tiff",
    "write_ome_zarr",
]

_HOME = {
    "LabelsToWrite": "omezarr_writer",
    "PUBLIC_IMAGES": "public",
    "PublicImage": "public",
    "SeriesInfo": "raw",
    "add_labels": "omezarr_writer",
    "can_open": "opening",
    "check_not_source": "writing",
    "holds_image": "omezarr",
    "list_series": "opening",
    "open_image": "opening",
    "open_public_image": "public",
    "write_image_tiff": "tiff_writer",
    "write_labels_tiff": "tiff_writer",
    "write_ome_zarr": "omezarr_writer",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
