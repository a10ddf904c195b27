from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_bioseg.core import UnknownAxesError, UnreadableFileError
from napari_bioseg.io import list_series, open_image, raster
from napari_bioseg.io.planes import PlaneFiles, natural

STACK = np.random.default_rng(3).integers(0, 255, (12, 20, 30), dtype=np.uint8)


def folder_of(tmp_path: Path, ending: str = ".tif") -> Path:
    folder = tmp_path / "Serie 1 µm"
    folder.mkdir()
    for number, plane in enumerate(STACK, start=1):  # 1, 2 ... 12: not the order of the names
        if ending == ".tif":
            tifffile.imwrite(folder / f"p{number}.tif", plane, metadata=None)
        else:
            (folder / f"p{number}{ending}").write_bytes(imagecodecs.png_encode(plane))
    (folder / "notes.txt").write_text("ignored")
    (folder / "._p1.tif").write_text("ignored")
    return folder


@pytest.mark.parametrize("ending", [".tif", ".png"])
def test_a_folder_of_planes_is_a_stack_in_natural_order(tmp_path: Path, ending: str) -> None:
    folder = folder_of(tmp_path, ending)
    with pytest.raises(UnknownAxesError, match=r"Give --axes ZYX \(or TYX, CYX\)"):
        open_image(folder)
    image = open_image(folder, axes="ZYX")
    assert (image.name, image.data.chunksize) == ("Serie 1 µm", (1, 20, 30))
    np.testing.assert_array_equal(image.data.compute(), STACK)
    np.testing.assert_array_equal(image.data[7, 3:5].compute(), STACK[7, 3:5])
    assert list_series(folder)[0].axes == "?YX"


def test_planes_are_read_when_they_are_used(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    image = open_image(folder, axes="TYX")
    (folder / "p3.tif").unlink()
    np.testing.assert_array_equal(image.data[3].compute(), STACK[3])
    with pytest.raises(UnreadableFileError):
        image.data[2].compute()


@pytest.mark.parametrize("plane", [np.zeros((20, 31), np.uint8), np.zeros((20, 30), np.uint16)])
def test_the_odd_plane_is_named(tmp_path: Path, plane: np.ndarray[Any, Any]) -> None:
    folder = folder_of(tmp_path)
    tifffile.imwrite(folder / "p5.tif", plane, metadata=None)
    with pytest.raises(UnreadableFileError, match=r"p5\.tif: differs from the other planes"):
        open_image(folder, axes="ZYX")


def test_a_truncated_plane_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    data = (folder / "p9.tif").read_bytes()
    (folder / "p9.tif").write_bytes(data[:-100])
    with pytest.raises(UnreadableFileError, match=r"p9\.tif: is truncated"):
        open_image(folder, axes="ZYX")


@pytest.mark.parametrize("ending", [".tif", ".png"])
def test_a_plane_that_is_none_is_named(tmp_path: Path, ending: str) -> None:
    folder = folder_of(tmp_path, ending)
    (folder / f"p9{ending}").write_text("no image")
    with pytest.raises(UnreadableFileError, match=r"p9\.\w+: is (no TIFF|truncated)"):
        open_image(folder, axes="ZYX")


def test_stacks_are_no_planes(tmp_path: Path) -> None:
    for name in "ab":
        tifffile.imwrite(tmp_path / f"{name}.tif", STACK, metadata={"axes": "ZYX"})
    with pytest.raises(UnreadableFileError, match=r"a\.tif: is a stack, not a plane"):
        open_image(tmp_path)


def test_one_file_alone_is_opened_as_itself(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0])
    assert open_image(tmp_path).axes == "YX"


def test_colour_planes_keep_their_samples_last(tmp_path: Path) -> None:
    colour = np.random.default_rng(4).integers(0, 255, (3, 8, 9, 3), dtype=np.uint8)
    for number, plane in enumerate(colour):
        (tmp_path / f"{number}.png").write_bytes(imagecodecs.png_encode(plane))
    image = open_image(tmp_path, axes="TYX")
    assert image.axes == "TYXS"
    np.testing.assert_array_equal(image.data.compute(), colour)


def test_planes_can_be_indexed_in_every_basic_way(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    files = tuple(folder / f"p{n}.tif" for n in range(1, 13))
    planes = PlaneFiles(files, (20, 30), np.dtype(np.uint8))
    for key in (3, slice(2, 5), (-1, 4), (slice(0, 12, 5), slice(None), 7)):
        np.testing.assert_array_equal(planes[key], STACK[key])


def test_natural_order() -> None:
    names = ["b1", "a10", "a2", "A1", "a2b", "10", "9"]
    assert sorted(names, key=natural) == ["9", "10", "A1", "a2", "a2b", "a10", "b1"]


def test_of_pictures_only_head_and_end_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (300, 400), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(picture))
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg_encode(picture, level=100))
    monkeypatch.setattr(raster, "TAIL", 100)
    (tmp_path / "more.jpg").write_bytes((tmp_path / "a.jpg").read_bytes() + bytes(200))
    assert raster.look(tmp_path / "more.jpg") == (300, 400, 8, 1)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("the whole file was read"))
    assert raster.look(tmp_path / "a.png") == (300, 400, 8, 0)
    assert raster.look(tmp_path / "a.jpg") == (300, 400, 8, 1)


def test_a_cut_picture_is_told(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (300, 400), dtype=np.uint8)
    for ending, data in ((".png", imagecodecs.png_encode(picture)), (".jpg", imagecodecs.jpeg_encode(picture))):
        (tmp_path / f"cut{ending}").write_bytes(data[:-100])
        with pytest.raises(UnreadableFileError, match="is truncated"):
            raster.look(tmp_path / f"cut{ending}")
