from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
import tifffile
import zarr

from napari_bioseg.core.errors import RecipeError, UnreadableFileError
from napari_bioseg.workflows.batch_items import common_folder, find_items, fingerprint


def _tiff(path: Path, shape: tuple[int, ...] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.zeros(shape, np.uint8), photometric="minisblack")
    return path


def _names(*inputs: str | Path, out: Path = Path("/nowhere"), planes: bool = False) -> list[str]:
    return [item.name for item in find_items(inputs, out, planes=planes)]


def test_a_folder_stands_for_the_images_in_it_and_below(tmp_path: Path) -> None:
    for name in ("b.tif", "a.ome.tif", "sub/c.png", ".hidden.tif", "p.bioseg/d.tif", "out/e.tif"):
        _tiff(tmp_path / name) if not name.endswith("png") else None
    from PIL import Image

    (tmp_path / "sub").mkdir(exist_ok=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "sub" / "c.png")
    (tmp_path / "notes.txt").write_text("no image")
    assert _names(tmp_path, out=tmp_path / "out") == ["a", "b", "sub/c"]


def test_a_zarr_store_is_one_image(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "in" / "x.zarr", shape=(4, 4), chunks=(2, 2), dtype="u1")
    assert _names(tmp_path / "in") == ["x"]


def test_planes_are_one_stack_where_it_is_asked(tmp_path: Path) -> None:
    for z in range(3):
        _tiff(tmp_path / "in" / "stack" / f"z{z}.tif")
    assert _names(tmp_path / "in") == ["stack/z0", "stack/z1", "stack/z2"]
    assert _names(tmp_path / "in", planes=True) == ["stack"]


def test_names_tell_where_below_the_pattern_or_the_common_folder_an_image_lies(tmp_path: Path) -> None:
    files = [_tiff(tmp_path / "data" / name / "image.ome.tif") for name in ("one", "two")]
    assert _names(tmp_path / "data" / "*" / "image.ome.tif") == ["one/image", "two/image"]
    assert _names(*files) == ["one/image", "two/image"]
    assert _names(files[0]) == ["image"]
    assert _names(f"{tmp_path}/**/image.ome.tif") == ["data/one/image", "data/two/image"]


def test_files_on_two_drives_have_no_folder_in_common() -> None:
    one, two, far = (PureWindowsPath(name) for name in (r"C:\data\one\a.tif", r"C:\Data\b.tif", r"D:\data\c.tif"))
    assert common_folder([one, two]) == PureWindowsPath(r"C:\data")
    assert common_folder([one, two, far]) is None
    assert common_folder([]) is None


def test_home_and_names_with_brackets_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tiff(tmp_path / "a[1].tif")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert _names("~/a[1].tif") == ["a[1]"]


def test_of_a_pair_of_files_the_header_stands_for_both(tmp_path: Path) -> None:
    for name in ("a.hdr", "a.img", "b.img"):
        (tmp_path / name).write_bytes(b"")
    assert [item.source.name for item in find_items([tmp_path], tmp_path / "out")] == ["a.hdr", "b.img"]


def test_twins_are_told_apart_by_their_ending(tmp_path: Path) -> None:
    _tiff(tmp_path / "a.tif")
    _tiff(tmp_path / "a.ome.tif")
    assert _names(tmp_path) == ["a-ome-tif", "a-tif"]
    _tiff(tmp_path / "sub" / "b.tif")
    _tiff(tmp_path / "sub" / "B.ome.tif")  # on Windows and macOS the same name
    assert _names(tmp_path / "sub") == ["B-ome-tif", "b-tif"]


def test_each_image_of_a_file_is_one(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "two.tif") as file:
        file.write(np.zeros((8, 8), np.uint8), photometric="minisblack")
        file.write(np.zeros((9, 7), np.uint16), photometric="minisblack")
    items = find_items([tmp_path / "two.tif"], tmp_path / "out")
    assert [(item.name, item.series) for item in items] == [("two.s0", 0), ("two.s1", 1)]
    assert sum(item.weight for item in items) <= (tmp_path / "two.tif").stat().st_size


def test_a_file_given_twice_is_one_image(tmp_path: Path) -> None:
    path = _tiff(tmp_path / "a.tif")
    assert _names(path, tmp_path) == ["a"]


def test_a_damaged_file_stays_in_the_queue(tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_bytes(b"II*\0")
    assert _names(tmp_path / "bad.tif") == ["bad"]


def test_a_pattern_that_finds_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no file of this pattern"):
        find_items([tmp_path / "*.tif"], tmp_path / "out")


def test_an_empty_input_is_not_the_folder_that_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tiff(tmp_path / "a.tif")
    monkeypatch.chdir(tmp_path)
    assert _names(".") == ["a"]
    with pytest.raises(UnreadableFileError, match="is empty"):
        find_items([""], tmp_path / "out")


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="holds no image"):
        find_items([tmp_path], tmp_path / "out")


def test_results_that_an_earlier_run_left_are_no_input(tmp_path: Path) -> None:
    """A shell's ``*`` also stands for the folder of the results."""
    first, out = _tiff(tmp_path / "a.tif"), tmp_path / "out"
    _tiff(out / "result.tif")
    assert _names(first, out, out=out) == ["a"]


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        _tiff(tmp_path / folder / "a.tif")
    with pytest.raises(RecipeError, match="both be called a"):
        find_items([tmp_path / "one", tmp_path / "two"], tmp_path / "out")


def test_a_changed_file_has_another_fingerprint(tmp_path: Path) -> None:
    path = _tiff(tmp_path / "a.tif")
    before = fingerprint(path)
    os.utime(path, ns=(1, 1))
    assert fingerprint(path) != before
    _tiff(path, (8, 9))
    os.utime(path, ns=(1, 1))
    longer = fingerprint(path)
    _tiff(path, (8, 8))
    os.utime(path, ns=(1, 1))
    assert fingerprint(path) != longer


def test_a_store_has_another_fingerprint_when_a_chunk_of_it_is_changed(tmp_path: Path) -> None:
    (tmp_path / "x.zarr" / "c").mkdir(parents=True)
    (tmp_path / "x.zarr" / "c" / "0").write_bytes(b"1")
    before = fingerprint(tmp_path / "x.zarr")
    (tmp_path / "x.zarr" / "c" / "0").write_bytes(b"22")
    assert fingerprint(tmp_path / "x.zarr") != before
