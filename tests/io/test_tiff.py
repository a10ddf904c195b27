from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core import UnknownAxesError, UnreadableFileError
from napari_bioseg.io import list_series, open_image, tiff

RNG = np.random.default_rng(0)


def pixels(*shape: int, dtype: str = "uint16") -> np.ndarray[Any, Any]:
    return RNG.integers(0, 200, shape).astype(dtype)


@pytest.mark.parametrize(
    ("options", "dtype"),
    [
        ({}, "uint8"),
        ({"bigtiff": True}, "uint16"),
        ({"byteorder": ">"}, "uint16"),
        ({"byteorder": ">", "compression": "zlib", "predictor": True}, "int32"),
        ({"tile": (64, 48)}, "uint16"),
        ({"tile": (64, 48), "compression": "zstd"}, "float32"),
        ({"compression": "lzw", "rowsperstrip": 7}, "uint8"),
        ({"compression": "deflate", "byteorder": ">"}, "float16"),
        ({}, "float16"),
        ({}, "float64"),
        ({}, "uint32"),
        ({}, "bool"),
    ],
)
def test_every_layout_of_a_plane_reads_back(tmp_path: Path, options: dict[str, Any], dtype: str) -> None:
    plane = pixels(150, 170, dtype=dtype) if dtype != "bool" else pixels(150, 170) > 100
    tifffile.imwrite(tmp_path / "a.tif", plane, metadata=None, **options)
    image = open_image(tmp_path / "a.tif")
    assert (image.axes, image.dtype) == ("YX", np.dtype(dtype))
    np.testing.assert_array_equal(image.data.compute(), plane)


def test_an_imagej_hyperstack_says_everything_itself(tmp_path: Path) -> None:
    stack = pixels(3, 4, 2, 30, 40)
    tifffile.imwrite(
        tmp_path / "h.tif", stack, imagej=True, resolution=(1 / 0.25, 1 / 0.5),
        metadata={"axes": "TZCYX", "spacing": 2.0, "unit": "micron", "finterval": 1.5},
    )  # fmt: skip
    image = open_image(tmp_path / "h.tif")
    assert image.axes == "TCZYX"
    assert image.scale == pytest.approx((1.5, 1.0, 2.0, 0.5, 0.25))
    assert image.units == ("second", None, "micrometer", "micrometer", "micrometer")
    np.testing.assert_array_equal(image.data.compute(), stack.transpose(0, 2, 1, 3, 4))


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (32, 32)}])
def test_a_bare_stack_asks_for_its_axes(tmp_path: Path, options: dict[str, Any]) -> None:
    stack = pixels(5, 64, 70)
    tifffile.imwrite(tmp_path / "s.tif", stack, metadata=None, **options)
    with pytest.raises(UnknownAxesError, match=r"Give --axes ZYX \(or TYX, CYX\)") as caught:
        open_image(tmp_path / "s.tif")
    assert caught.value.choices == ("ZYX", "TYX", "CYX")
    assert list_series(tmp_path / "s.tif")[0].axes == "?YX"
    np.testing.assert_array_equal(open_image(tmp_path / "s.tif", axes="TYX").data.compute(), stack)


def test_an_ome_pyramid_is_multiscale(tmp_path: Path) -> None:
    stack = pixels(3, 128, 160)
    with tifffile.TiffWriter(tmp_path / "p.ome.tif") as tif:
        metadata = {
            "axes": "CYX", "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5,
            "Channel": {"Name": ["DAPI", "actin", "tubulin"]},
        }  # fmt: skip
        tif.write(stack, subifds=2, tile=(32, 32), compression="zlib", metadata=metadata)
        for step in (2, 4):
            tif.write(stack[:, ::step, ::step], subfiletype=1, tile=(32, 32), compression="zlib")
    image = open_image(tmp_path / "p.ome.tif")
    assert [level.shape for level in image.levels] == [(3, 128, 160), (3, 64, 80), (3, 32, 40)]
    assert image.channel_names == ("DAPI", "actin", "tubulin")
    assert image.pixel_size() == pytest.approx((0.5, 0.25))
    np.testing.assert_array_equal(image.levels[2].compute(), stack[:, ::4, ::4])


def test_planar_colour_ends_in_samples(tmp_path: Path) -> None:
    colour = pixels(3, 50, 60, dtype="uint8")
    tifffile.imwrite(tmp_path / "c.tif", colour, photometric="rgb", planarconfig="separate", metadata=None)
    image = open_image(tmp_path / "c.tif")
    assert (image.axes, image.rgb) == ("YXS", True)
    np.testing.assert_array_equal(image.data.compute(), colour.transpose(1, 2, 0))


def test_several_series_are_listed_and_chosen(tmp_path: Path) -> None:
    first, second = pixels(20, 30), pixels(4, 25, 26, dtype="uint8")
    with tifffile.TiffWriter(tmp_path / "m.ome.tif") as tif:
        tif.write(first, metadata={"axes": "YX", "Name": "overview"})
        tif.write(second, metadata={"axes": "ZYX", "Name": "detail", "PhysicalSizeZ": 3.0})
    listed = list_series(tmp_path / "m.ome.tif")
    assert [(s.name, s.shape, s.axes) for s in listed] == [
        ("overview", (20, 30), "YX"),
        ("detail", (4, 25, 26), "ZYX"),
    ]
    image = open_image(tmp_path / "m.ome.tif", series=1)
    assert (image.name, image.scale[0]) == ("m detail", 3.0)
    np.testing.assert_array_equal(image.data.compute(), second)
    with pytest.raises(UnreadableFileError, match=r"no series 2; it has 2\. Give a series from 0 to 1"):
        open_image(tmp_path / "m.ome.tif", series=2)


def test_axes_the_user_gives_take_the_sizes_of_the_same_letters(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "h.tif", pixels(4, 30, 40), imagej=True, resolution=(2, 2),
        metadata={"axes": "ZYX", "spacing": 5.0, "unit": "um"},
    )  # fmt: skip
    image = open_image(tmp_path / "h.tif", axes="TYX")
    assert (image.scale, image.units) == ((1.0, 0.5, 0.5), (None, "micrometer", "micrometer"))


@pytest.mark.parametrize("axis", ["E", "P"])
def test_foreign_letters_become_ours(axis: str) -> None:
    assert tiff.house_letters(axis + "YX") == {"E": "CYX", "P": "RYX"}[axis]
    assert tiff.house_letters("CEYX") == "C?YX"


def test_a_large_strip_image_is_read_strip_by_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = pixels(2010, 900)
    tifffile.imwrite(tmp_path / "s.tif", plane, compression="zlib", rowsperstrip=16, metadata=None)
    monkeypatch.setattr(tiff, "PAGE_BYTES", 2**20)
    image = open_image(tmp_path / "s.tif")
    assert image.data.numblocks[0] > 1
    np.testing.assert_array_equal(image.data.compute(), plane)


def test_a_file_of_two_gigabytes_opens_and_reads_a_plane_without_growing(tmp_path: Path) -> None:
    path = tmp_path / "big.tif"
    with tifffile.TiffWriter(path, imagej=True) as tif:
        tif.write(shape=(512, 1024, 2048), dtype="uint16", metadata={"axes": "ZYX"})  # sparse on disk
    assert path.stat().st_size > 2**31 - 1
    tracemalloc.start()
    image = open_image(path)
    corner = image.data[300, 10:20, :30].compute()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (image.shape, corner.shape) == ((512, 1024, 2048), (10, 30))
    assert peak < 64 * 2**20


def test_reading_from_several_threads_gives_the_same(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    stack = pixels(8, 100, 110)
    tifffile.imwrite(tmp_path / "t.tif", stack, compression="zlib", tile=(32, 32), metadata={"axes": "ZYX"})
    image = open_image(tmp_path / "t.tif")
    with ThreadPoolExecutor(4) as pool:
        planes = list(pool.map(lambda z: image.data[z].compute(scheduler="sync"), list(range(8)) * 3))
    np.testing.assert_array_equal(np.stack(planes), np.concatenate([stack] * 3))


def test_names_with_spaces_and_unicode(tmp_path: Path) -> None:
    folder = tmp_path / "Ordner mit Größe µ"
    folder.mkdir()
    tifffile.imwrite(folder / "细胞 image.ome.tif", pixels(9, 8), metadata={"axes": "YX"})
    image = open_image(str(folder / "细胞 image.ome.tif"))
    assert (image.name, image.shape) == ("细胞 image", (9, 8))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted on Linux only")
@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib", "photometric": "minisblack", "metadata": {"axes": "ZYX"}},
        {"compression": "zlib", "tile": (32, 32), "photometric": "minisblack", "metadata": {"axes": "ZYX"}},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
    ],
)
def test_no_file_stays_open(tmp_path: Path, options: dict[str, Any]) -> None:
    stack = pixels(4, 50, 60)
    tifffile.imwrite(tmp_path / "a.tif", stack, **options)
    before = len(os.listdir("/proc/self/fd"))
    images = [open_image(tmp_path / "a.tif", axes="ZYX") for _ in range(10)]
    np.testing.assert_array_equal(images[3].data.compute(scheduler="threads"), stack)
    assert len(os.listdir("/proc/self/fd")) == before
