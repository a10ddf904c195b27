from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bioseg.core import Cancelled, Job, Progress, UnwritableFileError
from napari_bioseg.io import list_series, open_image, tiff_writer, write_image_tiff, write_labels_tiff

RNG = np.random.default_rng(8)
SIZES: dict[str, Any] = {
    "scale": (2.0, 0.5, 0.25),
    "units": ("micrometer",) * 3,
    "metadata": {"model": "cells", "n": 3},
}


def labels(*shape: int) -> np.ndarray[Any, Any]:
    made = RNG.integers(0, 2**32, shape, dtype=np.uint32)
    made.flat[0] = 2**32 - 1
    return made


@pytest.mark.parametrize("name", ["l.tif", "l.ome.tif", "mit Leerzeichen µ.tiff"])
@pytest.mark.parametrize("kind", ["numpy", "zarr", "dask"])
def test_labels_come_back_bit_for_bit_with_size_and_provenance(tmp_path: Path, name: str, kind: str) -> None:
    wanted = labels(7, 60, 70)
    source: Any = wanted
    if kind == "zarr":
        source = zarr.create_array(store={}, shape=wanted.shape, dtype=wanted.dtype, chunks=(3, 32, 32))
        source[:] = wanted
    elif kind == "dask":
        source = da.from_array(wanted, chunks=(3, 32, 32))
    write_labels_tiff(tmp_path / name, source, "ZYX", translate=(1.0, 2.5, -3.0), **SIZES)
    image = open_image(tmp_path / name)
    assert (image.axes, image.dtype) == ("ZYX", np.uint32)
    assert (image.scale, image.units, image.translate) == (SIZES["scale"], SIZES["units"], (1.0, 2.5, -3.0))
    assert image.metadata["provenance"] == {"model": "cells", "n": 3}
    np.testing.assert_array_equal(image.data.compute(), wanted)
    with tifffile.TiffFile(tmp_path / name) as tif:
        assert tif.is_ome
        assert tif.pages.first.compression == 8


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(["YX", "ZYX", "TYX", "CYX", "TCYX", "TZYX", "TCZYX", "CZYX"]),
    st.lists(st.floats(1e-4, 1e4, allow_nan=False), min_size=5, max_size=5),
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5),
)
def test_geometry_survives(
    tmp_path_factory: pytest.TempPathFactory, axes: str, scale: list[float], known: list[bool], translate: list[float]
) -> None:
    path = tmp_path_factory.mktemp("g") / "g.tif"
    names = {"T": "second", "C": None}
    units = [names.get(a, "micrometer") if k else None for a, k in zip(axes, known, strict=False)]
    n = len(axes)
    data = labels(*range(2, 2 + n))
    write_labels_tiff(path, data, axes, scale=scale[:n], units=units, translate=translate[:n], metadata={})
    image = open_image(path)
    assert (image.axes, image.units) == (axes, tuple(units))
    assert image.scale == pytest.approx(tuple(scale[:n]))
    assert image.translate == pytest.approx(tuple(translate[:n]))
    np.testing.assert_array_equal(image.data.compute(), data)


@pytest.mark.parametrize(
    ("dtype", "back"),
    [("float32", "float32"), ("float16", "float32"), ("uint8", "uint8"), ("int16", "int16"), ("float64", "float64")],
)
def test_images(tmp_path: Path, dtype: str, back: str) -> None:
    data = (RNG.random((2, 3, 30, 40)) * 100).astype(dtype)
    path = tmp_path / "p.ome.tif"
    write_image_tiff(
        path, data, "CZYX", scale=(1, 2, 1, 1), units=(None, "micrometer", "micrometer", "micrometer"),
        metadata={"a": None}, channel_names=("nucleus", "membrane"),
    )  # fmt: skip
    image = open_image(path)
    assert (image.dtype, image.channel_names) == (np.dtype(back), ("nucleus", "membrane"))
    np.testing.assert_array_equal(image.data.compute(), data.astype(back))


def test_colour_and_masks(tmp_path: Path) -> None:
    colour = RNG.integers(0, 255, (30, 40, 3), dtype=np.uint8)
    flat: dict[str, Any] = {"units": (None,) * 3, "metadata": {}}
    write_image_tiff(tmp_path / "c.tif", colour, "YXS", scale=(1, 1, 1), **flat)
    image = open_image(tmp_path / "c.tif")
    assert (image.axes, image.rgb) == ("YXS", True)
    np.testing.assert_array_equal(image.data.compute(), colour)
    write_labels_tiff(tmp_path / "m.tif", colour > 100, "ZYX", scale=(1, 1, 1), **flat)
    assert open_image(tmp_path / "m.tif").data.max().compute() == 1


def test_positions_become_series(tmp_path: Path) -> None:
    data = labels(2, 3, 20, 30)
    write_labels_tiff(
        tmp_path / "r.tif", data, "TRYX", scale=(5, 1, 1, 1), units=("second", None, None, None), metadata={}
    )
    assert [(s.name, s.axes) for s in list_series(tmp_path / "r.tif")] == [
        ("r 0", "TYX"),
        ("r 1", "TYX"),
        ("r 2", "TYX"),
    ]
    for position in range(3):
        image = open_image(tmp_path / "r.tif", series=position)
        assert image.scale == (5, 1, 1)
        np.testing.assert_array_equal(image.data.compute(), data[:, position])


def test_planes_too_large_for_memory_are_tiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_writer, "BUDGET", 2**20)
    data = labels(2, 700, 1100)
    write_labels_tiff(tmp_path / "t.tif", da.from_array(data, chunks=(1, 300, 300)), "ZYX", **SIZES)
    with tifffile.TiffFile(tmp_path / "t.tif") as tif:
        assert tif.pages.first.is_tiled
    np.testing.assert_array_equal(open_image(tmp_path / "t.tif").data.compute(), data)


def test_each_chunk_of_the_source_is_read_once(tmp_path: Path) -> None:
    read: list[int] = []

    def make(block_info: Any = None) -> np.ndarray[Any, Any]:
        at = block_info[None]["array-location"]
        read.append(at[0][0])
        return np.ones(block_info[None]["chunk-shape"], np.uint32)

    source = da.map_blocks(make, chunks=((4, 4, 2), (30,), (40,)), dtype=np.uint32, meta=np.empty((0, 0, 0), np.uint32))
    write_labels_tiff(tmp_path / "l.tif", source, "ZYX", **SIZES)
    assert sorted(read) == [0, 4, 8]


def test_progress_counts_planes_and_cancelling_leaves_nothing(tmp_path: Path) -> None:
    seen: list[Progress] = []
    write_labels_tiff(tmp_path / "l.tif", labels(5, 20, 30), "ZYX", job=Job(seen.append), **SIZES)
    assert (seen[-1].done, seen[-1].total) == (5, 5)
    before = (tmp_path / "l.tif").read_bytes()
    job = Job(lambda progress: job.cancel() if progress.done == 2 else None)
    with pytest.raises(Cancelled):
        write_labels_tiff(tmp_path / "l.tif", labels(5, 20, 30), "ZYX", job=job, **SIZES)
    assert [p.name for p in tmp_path.iterdir()] == ["l.tif"]
    assert (tmp_path / "l.tif").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "array", "axes", "problem"),
    [
        ("l.png", np.zeros((2, 3, 4), np.uint32), "ZYX", "is no name of a TIFF file"),
        ("no/l.tif", np.zeros((2, 3, 4), np.uint32), "ZYX", "does not exist"),
        ("folder.tif", np.zeros((2, 3, 4), np.uint32), "ZYX", "is a folder"),
        ("l.tif", np.zeros((2, 3, 4), np.float32), "ZYX", "are not integers"),
        ("l.tif", np.full((2, 3, 4), -1), "ZYX", "negative or above"),
        ("l.tif", np.full((2, 3, 4), 2**32), "ZYX", "negative or above"),
        ("l.tif", np.zeros((2, 3, 4), np.uint32), "YXZ", "do not fit"),
        ("l.tif", np.zeros((2, 3), np.uint32), "ZYX", "do not fit"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, name: str, array: np.ndarray[Any, Any], axes: str, problem: str
) -> None:
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(UnwritableFileError, match=problem):
        write_labels_tiff(tmp_path / name, array, axes, **SIZES)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.tif"]


def test_integers_of_64_bits_are_refused_as_images(tmp_path: Path) -> None:
    with pytest.raises(UnwritableFileError, match="cannot hold int64"):
        write_image_tiff(tmp_path / "a.tif", np.zeros((2, 3, 4), np.int64), "ZYX", **SIZES)


def test_a_full_disk_is_our_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile.TiffWriter, "write", full)
    with pytest.raises(UnwritableFileError, match=r"cannot be written \(No space left on device\)"):
        write_labels_tiff(tmp_path / "l.tif", labels(2, 3, 4), "ZYX", **SIZES)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_tiled_planes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_writer, "BUDGET", 2**20)
    seen: list[Progress] = []
    write_labels_tiff(tmp_path / "t.tif", labels(2, 700, 600), "ZYX", job=Job(seen.append), **SIZES)
    assert (seen[-1].done, seen[-1].total) == (2, 2)
