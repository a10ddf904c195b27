from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_bioseg.core import UnreadableFileError
from napari_bioseg.io import can_open, list_series, open_image


def make(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("empty.tif", b"", "is empty"),
        ("empty.nii", b"", "is empty"),
        ("text.tif", b"these are notes, no image at all", "is no TIF file although its name says so"),
        ("text.png", b"these are notes, no image at all", "is no PNG file although its name says so"),
        ("notes.txt", b"these are notes, no image at all", "is of a kind we cannot read"),
        ("stack.czi", b"ZISRAWFILE" + bytes(50), "is of a kind we cannot read"),
        ("head.tif", b"II*\0", "cannot be read as TIFF|is truncated"),
        ("nonsense.tif", b"II*\0" + bytes(range(200)), "cannot be read as TIFF|is truncated"),
        ("nonsense.nii", bytes(range(200)), "cannot be read as NIfTI"),
        ("nonsense.nii.gz", b"\x1f\x8b" + bytes(range(200)), "cannot be read as NIfTI"),
        ("cut.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "is truncated"),
        ("bad.png", b"\x89PNG\r\n\x1a\n" + bytes(100) + b"IEND", "cannot be read as PNG"),
    ],
)
def test_what_is_no_image_is_told_in_one_line(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    path = make(tmp_path / name, content)
    for use in (open_image, list_series):
        with pytest.raises(UnreadableFileError, match=problem) as caught:
            use(path)
        line = str(caught.value)
        assert line.startswith(str(path))
        assert "\n" not in line
        assert caught.value.fix


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"there is no such file\. Check the path"):
        open_image(tmp_path / "gone.tif")


def test_a_folder_without_images(tmp_path: Path) -> None:
    make(tmp_path / "readme.txt", b"nothing here")
    with pytest.raises(UnreadableFileError, match="holds no images"):
        open_image(tmp_path)


def test_content_speaks_before_the_name(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((5, 6), np.uint8))
    (tmp_path / "a.tif").rename(tmp_path / "a.dat")
    assert open_image(tmp_path / "a.dat").shape == (5, 6)


def test_complex_pixels_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "fft.tif", np.ones((5, 6), np.complex64))
    with pytest.raises(UnreadableFileError, match="pixels are of type complex64"):
        open_image(tmp_path / "fft.tif")


def test_one_dimension_is_no_image(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "line.zarr", shape=(7,), dtype="u1")
    with pytest.raises(UnreadableFileError, match=r"shape \(7,\) is not an image's"):
        open_image(tmp_path / "line.zarr")


def test_the_room_is_cheap_to_import() -> None:
    code = (
        "import sys, napari_bioseg.io; print(sorted({'dask','zarr','tifffile','nibabel','torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    import napari_bioseg.io as room

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        room.nothing  # noqa: B018


def test_what_can_be_opened_is_known_without_reading(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((5, 6), np.uint8))
    zarr.create_group(tmp_path / "a.zarr")
    (tmp_path / "planes").mkdir()
    make(tmp_path / "planes" / "p1.png", b"\x89PNG")
    (tmp_path / "papers").mkdir()
    make(tmp_path / "papers" / "thesis.txt", b"words")
    make(tmp_path / "broken.tif", b"not an image")
    make(tmp_path / "notes.txt", b"words")
    can = {p.name for p in tmp_path.iterdir() if can_open(p)}
    assert can == {"a.tif", "a.zarr", "planes", "broken.tif"}
    assert not can_open(tmp_path / "gone.tif")


@pytest.mark.parametrize("source", ["a" * 300 + ".tif", "~nobody-of-that-name/x.tif"])
def test_names_that_the_system_refuses_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.chdir(tmp_path)
    for use in (open_image, list_series):
        with pytest.raises(UnreadableFileError, match=r"cannot be opened|names a home folder that is not there"):
            use(source)
    assert not can_open(source)


def test_a_folder_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(UnreadableFileError, match=r"cannot be read as a folder of planes.*Permission denied"):
        open_image(tmp_path)
    assert not can_open(tmp_path)
    monkeypatch.setattr(Path, "exists", denied)
    with pytest.raises(UnreadableFileError, match=r"cannot be opened.*Check the path and its permissions"):
        open_image(tmp_path)
    assert not can_open(tmp_path)
