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
