from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core import UnreadableFileError
from napari_bioseg.io import list_series, open_image

RNG = np.random.default_rng(1)
KINDS: dict[str, dict[str, Any]] = {
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
    "bare": {"metadata": None},
    "big": {"bigtiff": True, "metadata": {"axes": "ZYX"}},
    "compressed": {"compression": "zlib", "metadata": {"axes": "ZYX"}},
    "tiled": {"tile": (32, 32), "compression": "zlib", "byteorder": ">", "metadata": {"axes": "ZYX"}},
}


@pytest.mark.parametrize("part", [0.999, 0.7, 0.3, 0.01])
@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_refused_when_it_is_opened(tmp_path: Path, kind: str, part: float) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, RNG.integers(0, 255, (6, 90, 100), dtype=np.uint8), **KINDS[kind])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    for use in (open_image, list_series):
        with pytest.raises(UnreadableFileError, match=r"cut\.tif: .+\. .+") as caught:
            use(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_pass(tmp_path: Path, kind: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((6, 90, 100), np.uint8), **KINDS[kind])
    assert list_series(tmp_path / "a.tif")[0].shape == (6, 90, 100)


def test_planes_of_a_stopped_acquisition_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "stopped.ome.tif"
    tifffile.imwrite(path, np.ones((3, 20, 30), np.uint8), metadata={"axes": "TYX"})
    data = path.read_bytes()
    path.write_bytes(data.replace(b'SizeT="3"', b'SizeT="4"'))
    image = open_image(path)
    assert image.metadata["missing_planes"] == 1
    assert image.data.sum(axis=(1, 2)).compute().tolist() == [600, 600, 600, 0]


def test_damaged_tiles_are_told_as_our_error_when_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "damaged.tif"
    tifffile.imwrite(path, RNG.integers(0, 255, (200, 200), dtype=np.uint8), compression="zlib", metadata=None)
    with tifffile.TiffFile(path) as tif:
        start = tif.pages.first.dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[start : start + 400] = b"\xaa" * 400
    path.write_bytes(data)
    image = open_image(path)
    with pytest.raises(UnreadableFileError, match=r"damaged\.tif: a part of it cannot be decoded"):
        image.data.compute()


def test_a_ring_of_directories_ends(tmp_path: Path) -> None:
    path = tmp_path / "ring.tif"
    tifffile.imwrite(path, np.ones((9, 8), np.uint8), metadata=None)
    with tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        at, count = page.offset, len(page.tags)
    data = bytearray(path.read_bytes())
    data[at + 2 + 12 * count : at + 6 + 12 * count] = at.to_bytes(4, "little")
    path.write_bytes(data)
    assert open_image(path).data.sum().compute() == 72


def test_a_cut_stack_with_a_single_directory_is_refused(tmp_path: Path) -> None:
    # As ImageJ writes stacks of more than 4 GB: one directory in front, all planes behind it.
    path = tmp_path / "cut.tif"
    with tifffile.TiffWriter(path, imagej=True) as tif:
        tif.write(shape=(50, 90, 100), dtype="uint16", metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        pointer, start = page.offset + 2 + 12 * len(page.tags), page.dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[pointer : pointer + 4] = bytes(4)
    path.write_bytes(data)
    assert open_image(path).shape == (50, 90, 100)
    path.write_bytes(data[: start + 40 * 90 * 100 * 2])
    with pytest.raises(UnreadableFileError, match="is truncated: it announces 50 planes"):
        open_image(path)


def test_a_cut_stack_of_tifffile_with_a_single_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, np.ones((50, 90, 100), np.uint16), truncate=True, metadata={"axes": "ZYX"})
    assert open_image(path).shape == (50, 90, 100)
    path.write_bytes(path.read_bytes()[:-9000])
    with pytest.raises(UnreadableFileError, match="is truncated"):
        open_image(path)
