from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.io import open_image

PLANE = np.zeros((8, 9), np.uint8)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}, 0.5),
        ({"resolution": (25400, 25400), "resolutionunit": "INCH"}, 1.0),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),  # a setting for print
        ({"resolution": (28.346, 28.346), "resolutionunit": "CENTIMETER"}, None),  # 72 dpi
        ({"resolution": (20000, 20000), "resolutionunit": "NONE"}, None),
        ({}, None),
    ],
)
def test_resolution_tags_are_believed_when_they_can_be_a_pixel_size(
    tmp_path: Path, options: dict[str, Any], size: float | None
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PLANE, metadata=None, **options)
    image = open_image(tmp_path / "a.tif")
    assert image.pixel_size() == (pytest.approx(size), pytest.approx(size))
    assert image.scale == pytest.approx((size or 1.0, size or 1.0))


@pytest.mark.parametrize(
    ("unit", "size"), [("um", 0.25), ("micron", 0.25), ("\\u00B5m", 0.25), ("nm", 0.25e-3), ("pixel", None), ("", None)]
)
def test_units_of_imagej(tmp_path: Path, unit: str, size: float | None) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PLANE, imagej=True, resolution=(4, 4), metadata={"unit": unit})
    assert open_image(tmp_path / "a.tif").pixel_size() == (pytest.approx(size), pytest.approx(size))


def test_imagej_with_a_tag_in_centimetres_means_centimetres(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", PLANE, imagej=True, resolution=(1911, 1911), resolutionunit="CENTIMETER",
        metadata={"unit": "um"},
    )  # fmt: skip
    assert open_image(tmp_path / "a.tif").pixel_size() == pytest.approx((1e4 / 1911, 1e4 / 1911))


def test_ome_units_default_to_micrometers_and_seconds(tmp_path: Path) -> None:
    metadata = {
        "axes": "TYX",
        "PhysicalSizeX": 0.1,
        "PhysicalSizeY": 0.2,
        "TimeIncrement": 30,
        "TimeIncrementUnit": "ms",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((3, 8, 9), np.uint8), metadata=metadata)
    image = open_image(tmp_path / "a.ome.tif")
    assert image.scale == pytest.approx((0.03, 0.2, 0.1))
    assert image.units == ("second", "micrometer", "micrometer")


def test_ome_sizes_in_pixels_are_no_sizes(tmp_path: Path) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": 7, "PhysicalSizeXUnit": "pixel"}
    tifffile.imwrite(tmp_path / "a.ome.tif", PLANE, metadata=metadata)
    image = open_image(tmp_path / "a.ome.tif")
    assert (image.scale, image.units) == ((1.0, 1.0), (None, None))


def test_a_channel_without_a_name_gets_one(tmp_path: Path) -> None:
    metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "unnamed"]}}
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((2, 8, 9), np.uint8), metadata=metadata, photometric="minisblack")
    path.write_bytes(path.read_bytes().replace(b'Name="unnamed"', b" " * 14))
    assert open_image(tmp_path / "a.ome.tif").channel_names == ("DAPI", "Channel 1")


def test_each_series_has_its_own_resolution(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for n, shape in ((20000, (8, 9)), (40000, (5, 6))):
            tif.write(np.zeros(shape, np.uint8), resolution=(n, n), resolutionunit="CENTIMETER", metadata=None)
    sizes = [open_image(tmp_path / "a.tif", series=i).pixel_size()[0] for i in (0, 1)]
    assert sizes == pytest.approx([0.5, 0.25])


@pytest.mark.parametrize(("unit", "step"), [({}, 2.0), ({"tunit": "min"}, 120.0), ({"tunit": "ms"}, 0.002)])
def test_the_time_unit_of_imagej(tmp_path: Path, unit: dict[str, str], step: float) -> None:
    metadata = {"axes": "TYX", "finterval": 2.0, **unit}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 8, 9), np.uint8), imagej=True, metadata=metadata)
    image = open_image(tmp_path / "a.tif")
    assert (image.scale[0], image.units[0]) == (pytest.approx(step), "second")


def test_steps_of_zeiss_lsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody but Zeiss writes LSM: the dictionary is what tifffile makes of it, with the typing error of its standard.
    found = {"VoxelSizeX": 2e-7, "VoxelSizeY": 2e-7, "TimeIntervall": 1.5}
    monkeypatch.setattr(tifffile.TiffFile, "lsm_metadata", found)
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((4, 8, 9), np.uint8), photometric="minisblack", metadata={"axes": "TYX"}
    )
    assert open_image(tmp_path / "a.tif").scale == pytest.approx((1.5, 0.2, 0.2))
