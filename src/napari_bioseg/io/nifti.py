"""NIfTI, CIFTI and MGH, lazily through nibabel's proxies.

Dimensions x, y, z, t come out as t, z, y, x. The affine is kept in the metadata, not applied: labels are to lie on
the voxels as they are stored.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import tempfile
import threading
import weakref
from math import prod
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.cifti2.cifti2 import Cifti2Image

from napari_bioseg.core.axes import to_standard_unit
from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.io.lazy import lazy, piece_chunks
from napari_bioseg.io.raw import Calibration, RawImage, SeriesInfo, check_series, series_info

AXES = {2: "YX", 3: "ZYX", 4: "TZYX", 5: "CTZYX"}  # NIfTI's fifth dimension holds vectors or channels
PACKED = (".gz", ".mgz")
FIX = "The file was cut short; copy or save it again"


def read(path: Path, series: int) -> RawImage:
    """Open a volume.

    Raises
    ------
    UnreadableFileError
        The file is truncated or has more than five dimensions, or there is no such series.
    """
    check_series(series, 1, path)
    image: Any = nibabel.load(path)
    _check_whole(image, path)
    volume = Volume(path, image)
    axes = _axes(image, volume.shape, path)
    inner = 3 if axes.endswith("S") else 2
    return RawImage(
        levels=(lazy(volume, path, piece_chunks(volume.shape, volume.dtype.itemsize, inner)),),
        axes=axes,
        calibration=_calibration(image),
        metadata={"affine": np.asarray(image.affine).tolist()} if getattr(image, "affine", None) is not None else {},
    )


def list_series(path: Path) -> tuple[SeriesInfo, ...]:
    """Describe the one volume of the file."""
    image: Any = nibabel.load(path)
    _check_whole(image, path)
    volume = Volume(path, image)
    return (series_info("", _axes(image, volume.shape, path), volume.shape, volume.dtype, path),)


class Volume:
    """A volume with its dimensions reversed, read in part.

    A compressed file is unpacked once, at the first read, into a temporary file that goes with this object: inflating
    it from the start for every plane would take a time that grows with the square of its depth.

    Parameters
    ----------
    path : Path
        The file.
    image : nibabel image
        Its header and proxy.
    """

    def __init__(self, path: Path, image: Any) -> None:
        self._path, self._proxy = path, image.dataobj
        self._packed = path.name.lower().endswith(PACKED)
        self._as_is = isinstance(image, Cifti2Image)  # a matrix, rows first
        self._lock = threading.Lock()
        shape = tuple(int(n) for n in image.shape)
        self._rgb = np.dtype(self._proxy.dtype).fields is not None
        self.dtype = np.dtype(np.uint8) if self._rgb else _read_type(self._proxy)
        own = shape if self._as_is else shape[::-1]
        self.shape = (*own, len(self._proxy.dtype.fields)) if self._rgb else own

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read a region; the key is in the order of `shape`."""
        self._unpack()
        keys = key if isinstance(key, tuple) else (key,)
        full = keys + (slice(None),) * (len(self.shape) - len(keys))
        if self._as_is:
            return np.asarray(self._proxy[full])
        if not self._rgb:
            return np.asarray(self._proxy[full[::-1]]).T
        records = np.ascontiguousarray(np.asarray(self._proxy[full[-2::-1]]).T)
        return records.view(np.uint8).reshape(*records.shape, -1)[..., full[-1]]

    def _unpack(self) -> None:
        with self._lock:
            if not self._packed:
                return
            ending = ".mgh" if self._path.suffix.lower() == ".mgz" else ".nii"
            number, name = tempfile.mkstemp(suffix=ending, prefix="bioseg-")
            weakref.finalize(self, _remove, name)
            with gzip.open(self._path, "rb") as packed, os.fdopen(number, "wb") as plain:
                shutil.copyfileobj(packed, plain, 2**20)
            unpacked: Any = nibabel.load(name)
            self._proxy = unpacked.dataobj
            self._packed = False


def _remove(name: str) -> None:
    # On Windows a file that is still open cannot be removed; it then stays in the temporary folder.
    with contextlib.suppress(OSError):
        os.unlink(name)


def _read_type(proxy: Any) -> np.dtype[Any]:
    scaled = (getattr(proxy, "slope", 1.0), getattr(proxy, "inter", 0.0)) != (1.0, 0.0)
    return np.dtype(np.float64) if scaled else np.dtype(proxy.dtype)


def _axes(image: Any, shape: tuple[int, ...], path: Path) -> str:
    rgb = np.dtype(image.dataobj.dtype).fields is not None
    ndim = len(shape) - rgb
    if ndim not in AXES:
        raise UnreadableFileError(str(path), f"has {ndim} dimensions", "We read 2 to 5 of them; save a part of it")
    return AXES[ndim] + ("S" if rgb else "")


def _calibration(image: Any) -> Calibration:
    header = image.header
    if isinstance(image, Cifti2Image) or not hasattr(header, "get_zooms"):
        return Calibration()
    zooms = [abs(float(z)) for z in header.get_zooms()][:4]
    if hasattr(header, "get_xyzt_units"):
        space, time = header.get_xyzt_units()
    else:
        space, time = ("mm", "msec") if isinstance(image, nibabel.MGHImage) else (None, None)
    scale: dict[str, float] = {}
    units: dict[str, str | None] = {}
    for letter, zoom in zip("XYZT", zooms, strict=False):
        if zoom > 0:
            scale[letter], units[letter] = to_standard_unit(letter, zoom, time if letter == "T" else space)
    return Calibration(scale, units)


def _check_whole(image: Any, path: Path) -> None:
    proxy = image.dataobj
    data = Path(str(proxy.file_like)) if isinstance(proxy.file_like, (str, Path)) else path
    if not data.exists():
        raise UnreadableFileError(str(data), "the pixels of this header are missing", "Put the file beside it")
    needed = proxy.offset + prod(int(n) for n in image.shape) * np.dtype(proxy.dtype).itemsize
    size = _unpacked_size(data, needed) if data.name.lower().endswith(PACKED) else data.stat().st_size
    if size < needed:
        raise UnreadableFileError(str(path), f"is truncated: it holds {size} of {needed} bytes", FIX)


def _unpacked_size(path: Path, needed: int) -> int:
    """Return the length of a gzip file's content; the whole file is inflated only where its trailer is in doubt."""
    with path.open("rb") as handle:
        handle.seek(-4, os.SEEK_END)
        trailer = int.from_bytes(handle.read(4), "little")
    if trailer == needed % 2**32:
        return needed
    size = 0
    try:
        with gzip.open(path, "rb") as packed:
            while block := packed.read(2**22):
                size += len(block)
    except EOFError:
        return min(size, needed - 1)
    return size
