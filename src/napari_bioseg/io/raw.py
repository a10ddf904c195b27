"""What every reader hands over, and how it becomes an `Image`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.core.image import Image
from napari_bioseg.io.arrangement import arrange, resolve

if TYPE_CHECKING:
    import dask.array as da

ENDINGS = (".ome.tiff", ".ome.tif", ".ome.zarr", ".nii.gz", ".ome.btf")


@dataclass(frozen=True)
class SeriesInfo:
    """One image among several in a file.

    Attributes
    ----------
    name : str
        As the file calls it; may be empty.
    shape : tuple of int
        In the order of `axes`.
    axes : str
        As `open_image` would give them, with ``?`` where the file does not say.
    dtype : numpy.dtype
        Data type of the pixels, native byte order.
    """

    name: str
    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Calibration:
    """Physical size by axis letter, in µm and seconds.

    Attributes
    ----------
    scale : Mapping
        Step of an axis; axes that are absent are unscaled.
    units : Mapping
        ``"micrometer"`` or ``"second"``; axes that are absent have no unit.
    translate : Mapping
        World position of the first pixel's centre.
    """

    scale: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str | None] = field(default_factory=dict)
    translate: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RawImage:
    """An image as its file has it: dimensions in the file's order, perhaps unnamed.

    Attributes
    ----------
    levels : tuple of dask.array.Array
        Resolution levels, the full one first.
    axes : str
        One letter a dimension, ``?`` where the file does not say.
    calibration : Calibration
        By letter, so that axes may be moved and renamed.
    level_scales : tuple of Mapping
        Scale of each level by letter; empty when it follows from the shapes.
    name : str
        Empty: after the file.
    channel_names, labels, metadata
        As in `Image`.
    """

    levels: tuple[da.Array, ...]
    axes: str
    calibration: Calibration = field(default_factory=Calibration)
    level_scales: tuple[Mapping[str, float], ...] = ()
    name: str = ""
    channel_names: tuple[str, ...] = ()
    labels: tuple[Image, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


def image_name(path: Path) -> str:
    """Return a file's name without the endings of image files."""
    name = path.name
    for ending in ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem or name


def to_image(raw: RawImage, path: Path, given: str | None) -> Image:
    """Settle the axes, put them into the house order, and attach scale and units.

    Raises
    ------
    UnknownAxesError
        The file leaves an axis open and `given` is None, or `given` does not fit.
    UnreadableFileError
        The pixels are complex numbers or records, or there are none.
    """
    first = raw.levels[0]
    shape = tuple(int(n) for n in first.shape)
    check_pixels(first.dtype, shape, path)
    order, axes = arrange(resolve(raw.axes, shape, given, str(path)), shape, str(path))
    cal = raw.calibration
    return Image(
        levels=tuple(_moved(level, order) for level in raw.levels),
        axes=axes,
        scale=tuple(float(cal.scale.get(a, 1.0)) for a in axes),
        units=tuple(cal.units.get(a) for a in axes),
        translate=tuple(float(cal.translate.get(a, 0.0)) for a in axes),
        name=raw.name or image_name(path),
        source=path,
        channel_names=raw.channel_names if _fits(raw.channel_names, axes, shape, order) else (),
        labels=raw.labels,
        level_scales=tuple(tuple(float(s.get(a, 1.0)) for a in axes) for s in raw.level_scales),
        metadata=raw.metadata,
    )


def _moved(level: da.Array, order: tuple[int, ...]) -> da.Array:
    if order == tuple(range(len(order))):
        return level
    moved: da.Array = level.transpose(order)  # type: ignore[no-untyped-call]
    return moved


def _fits(names: tuple[str, ...], axes: str, shape: tuple[int, ...], order: tuple[int, ...]) -> bool:
    channels = shape[order[axes.index("C")]] if "C" in axes else 1
    return len(names) == channels and "S" not in axes


def series_info(name: str, axes: str, shape: tuple[int, ...], dtype: Any, path: Path) -> SeriesInfo:
    """Describe a series in the house order."""
    order, arranged = arrange(axes, shape, str(path))
    return SeriesInfo(name, tuple(int(shape[i]) for i in order), arranged, np.dtype(dtype).newbyteorder("="))


def check_pixels(dtype: np.dtype[Any], shape: tuple[int, ...], path: Path) -> None:
    """Refuse what is no image: complex numbers, records, text, fewer than two dimensions, no pixels.

    Raises
    ------
    UnreadableFileError
        It is one of those.
    """
    if dtype.kind not in "buif":
        raise UnreadableFileError(str(path), f"its pixels are of type {dtype}", "Save magnitudes or channels instead")
    if len(shape) < 2 or 0 in shape:
        raise UnreadableFileError(
            str(path), f"its shape {shape} is not an image's", "Choose a file that holds an image"
        )


def check_series(series: int, count: int, path: Path) -> None:
    """Refuse a series that is not there.

    Raises
    ------
    UnreadableFileError
        `series` is not in 0 to `count` - 1.
    """
    if not 0 <= series < count:
        problem = f"has no series {series}; it has {count}"
        raise UnreadableFileError(str(path), problem, f"Give a series from 0 to {count - 1}")
