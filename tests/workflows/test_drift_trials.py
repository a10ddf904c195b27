"""Changes of a real section that are undone, with the shipped network, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from scipy import ndimage

from napari_bioseg import check_drift
from napari_bioseg.core.image import image_from_array
from napari_bioseg.drift import Cause


@pytest.fixture(scope="module")
def section(data_dir: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(tifffile.imread(data_dir / "membranes" / "image.tif", key=12))


def _first(values: npt.NDArray[np.float64]) -> Cause:
    pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    image = image_from_array(pixels, "YX", pixel_size={"Y": 0.004, "X": 0.004})
    return check_drift(image, model="membranes-unet2d", device="cpu").causes[0]


@pytest.mark.parametrize("zoom", [0.4, 2.5])
def test_pixels_of_another_size_are_told_with_their_size(section: npt.NDArray[np.uint8], zoom: float) -> None:
    cause = _first(ndimage.zoom(section.astype(np.float64), zoom, order=1, mode="mirror", grid_mode=True))
    assert cause.name == "pixel size"
    assert cause.amount == pytest.approx(1 / zoom, rel=0.4)


def test_a_blur_is_told_as_one(section: npt.NDArray[np.uint8]) -> None:
    assert _first(ndimage.gaussian_filter(section.astype(np.float64), 3)).name == "blur"


def test_noise_is_told_though_it_saturates_pixels_and_overexposure_is_not_noise(section: npt.NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).normal(0, 70, section.shape)
    assert _first(section + noise).name == "noise"
    assert _first(2.0 * section).name == "saturation"
