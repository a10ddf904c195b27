"""`Image`: a lazy array that knows its axes, its physical size and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.axes import SPATIAL, spatial

if TYPE_CHECKING:
    import dask.array as da
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Image:
    """A lazy, possibly multiscale array with named axes.

    Attributes
    ----------
    levels : tuple of dask.array.Array
        Resolution levels, the full one first. Most images have one.
    axes : str
        One letter a dimension, e.g. ``"TCZYX"``; a trailing ``S`` means RGB(A).
    scale : tuple of float
        Step along each axis at level 0, in `units`; 1.0 where unknown.
    units : tuple of (str or None)
        ``"micrometer"``, ``"second"``, or None (a pixel, an index, or unknown).
    translate : tuple of float
        World position of the first pixel's centre at level 0, in `units`.
    name : str
        For the layer.
    source : Path or None
        The file or folder it was read from.
    channel_names : tuple of str
        One a channel, or empty.
    labels : tuple of Image
        Label images stored with it (OME-Zarr).
    level_scales : tuple of tuple of float
        Scale of each level; empty means that it follows from the shapes.
    metadata : Mapping
        What else the file said and a writer may keep.
    """

    levels: tuple[da.Array, ...]
    axes: str
    scale: tuple[float, ...]
    units: tuple[str | None, ...]
    translate: tuple[float, ...]
    name: str = "image"
    source: Path | None = None
    channel_names: tuple[str, ...] = ()
    labels: tuple[Image, ...] = ()
    level_scales: tuple[tuple[float, ...], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = self.levels[0].ndim
        for what in ("axes", "scale", "units", "translate"):
            if len(getattr(self, what)) != n:
                raise ValueError(f"{what} {getattr(self, what)!r} does not fit {n} dimensions")

    @property
    def data(self) -> da.Array:
        """The full-resolution level."""
        return self.levels[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the full-resolution level."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the pixels."""
        dtype: np.dtype[Any] = self.data.dtype
        return dtype

    @property
    def rgb(self) -> bool:
        """Whether the last axis holds colour samples."""
        return self.axes.endswith("S") and self.shape[-1] in (3, 4)

    @property
    def spatial_axes(self) -> str:
        """The spatial axes, e.g. ``"ZYX"``."""
        return spatial(self.axes)

    def axis(self, letter: str) -> int:
        """Position of an axis; -1 when there is none."""
        return self.axes.find(letter)

    def pixel_size(self, axes: str | None = None) -> tuple[float | None, ...]:
        """Pixel size in µm along `axes` (default: the spatial ones); None where the file does not say."""
        wanted = self.spatial_axes if axes is None else axes
        sizes: list[float | None] = []
        for letter in wanted:
            i = self.axis(letter)
            known = i >= 0 and letter in SPATIAL and self.units[i] == "micrometer"
            sizes.append(self.scale[i] if known else None)
        return tuple(sizes)


def image_from_array(
    array: npt.NDArray[Any] | da.Array,
    axes: str,
    *,
    pixel_size: Mapping[str, float] | None = None,
    name: str = "image",
) -> Image:
    """Wrap an array.

    Parameters
    ----------
    array : numpy.ndarray or dask.array.Array
        Any shape that `axes` name.
    axes : str
        One letter a dimension.
    pixel_size : Mapping, optional
        Step of an axis: µm for Z, Y, X, seconds for T. Axes not named are unscaled.
    name : str
        For the layer.
    """
    import dask.array as da

    from napari_bioseg.core.axes import UNIT_OF

    sizes = pixel_size or {}
    lazy = array if isinstance(array, da.Array) else da.from_array(array)  # type: ignore[no-untyped-call]
    return Image(
        levels=(lazy,),
        axes=axes,
        scale=tuple(float(sizes.get(a, 1.0)) for a in axes),
        units=tuple(UNIT_OF.get(a) if a in sizes else None for a in axes),
        translate=(0.0,) * len(axes),
        name=name,
    )
