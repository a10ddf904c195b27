"""All files of the readers' collection, held against its catalogue."""

from __future__ import annotations

import ast
import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest

from napari_bioseg.core import UnknownAxesError
from napari_bioseg.io import list_series, open_image

DATA = Path(os.environ.get("BIOSEG_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "readers"
ROWS = list(csv.DictReader((DATA / "catalogue.csv").open())) if (DATA / "catalogue.csv").exists() else []


def expected(row: dict[str, str]) -> list[tuple[tuple[int, ...], str]]:
    """Shape and axes of each series under our documented mapping."""
    if row["path"].startswith("ome-zarr"):
        shape = ast.literal_eval(row["shape"][2 : row["shape"].index(")") + 1])
        return [(shape, "TCZYX")]
    if row["path"].startswith("nibabel"):
        shape = ast.literal_eval(row["shape"])[::-1]
        return [(shape, "TZYX"[-len(shape) :])]
    shapes = [ast.literal_eval(text) for text in row["shape"].split("/")]
    return [mapped(shape, axes) for shape, axes in zip(shapes, row["axes"].split("/"), strict=True)]


def mapped(shape: tuple[int, ...], axes: str) -> tuple[tuple[int, ...], str]:
    axes = axes.replace("I", "Z").replace("Q", "Z")
    if axes == "SYX":
        return (*shape[1:], shape[0]), "YXS"
    if axes == "YXS" and shape[2] not in (3, 4):
        return (shape[2], *shape[:2]), "CYX"
    return shape, axes


def unnamed(row: dict[str, str]) -> bool:
    return bool(set(row["axes"]) & set("IQ"))


@pytest.mark.parametrize("row", ROWS, ids=[row["path"] for row in ROWS])
def test_a_file_opens_as_its_catalogue_says(row: dict[str, str]) -> None:
    path, given = DATA / row["path"], None
    if unnamed(row):
        with pytest.raises(UnknownAxesError, match=r"Give --axes ZYX") as caught:
            open_image(path)
        assert caught.value.choices[0].startswith("ZYX")
        given = "ZYX"
    for number, (shape, axes) in enumerate(expected(row)):
        image = open_image(path, axes=given, series=number)
        assert (image.shape, image.axes) == (shape, axes)
        listed = list_series(path)[number]
        assert (listed.shape, listed.axes.replace("?", "Z"), listed.dtype) == (shape, axes, image.dtype)
    first = open_image(path, axes=given)
    if not row["path"].startswith("ome-zarr"):
        assert first.dtype == np.dtype(row["dtype"]).newbyteorder("=")
    pixels = first.data.compute()
    assert pixels.shape == first.shape
    assert pixels.dtype == first.dtype
    extremes = re.search(r"min=(\S+) max=(\S+)", row["extra"])
    if extremes:
        low, high = (ast.literal_eval(text) for text in extremes.groups())
        assert (pixels.min(), pixels.max()) == (low, high)


@pytest.mark.skipif(not ROWS, reason="the readers' collection is not here (set BIOSEG_DATA)")
def test_the_catalogue_is_whole() -> None:
    assert len(ROWS) == 109
    assert sum(unnamed(row) for row in ROWS) == 2


def test_nifti_turns_x_y_z_t_into_t_z_y_x_and_keeps_sizes(data_dir: Path) -> None:
    import nibabel

    path = data_dir / "readers/nibabel/nibabel/tests/data/functional.nii"
    image = open_image(path)
    np.testing.assert_allclose(image.data.compute(), np.asarray(nibabel.load(path).dataobj).T)
    assert image.scale == (2.0, 8000.0, 4000.0, 4000.0)
    assert image.units == ("second", "micrometer", "micrometer", "micrometer")


def test_micro_manager_positions_keep_their_axis_and_size(data_dir: Path) -> None:
    folder = data_dir / "readers/exampletiffs/ometiff_testdata/singles"
    image = open_image(folder / "181003_multi_pos_time_course_1_MMStack.ome.tif")
    assert (image.axes, image.units) == ("TRYX", ("second", None, "micrometer", "micrometer"))
    assert image.pixel_size("YX") == pytest.approx((5.2304, 5.2304))


def test_a_folder_of_real_planes_is_a_stack(data_dir: Path) -> None:
    folder = data_dir / "readers/exampletiffs/ometiff_testdata/singles/181003_slices"
    with pytest.raises(UnknownAxesError):
        open_image(folder)
    image = open_image(folder, axes="TYX")
    assert image.shape == (20, 256, 256)
    np.testing.assert_array_equal(image.data[2].compute(), open_image(folder / "P1_T2.tif").data.compute())


def test_a_master_of_a_set_that_lost_a_file_says_which(data_dir: Path, tmp_path: Path) -> None:
    from shutil import copy

    from napari_bioseg.core import UnreadableFileError

    source = data_dir / "readers/exampletiffs/ometiff_testdata/multiples/master"
    for number in (1, 2, 3, 5):
        copy(source / f"multifile-Z{number}.ome.tiff", tmp_path)
    with pytest.raises(UnreadableFileError, match=r"1 file\(s\) of its set are missing, e.g. multifile-Z4"):
        open_image(tmp_path / "multifile-Z1.ome.tiff")
