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
from napari_bioseg.models import load_model
from napari_bioseg.simulate import em_membranes
from napari_bioseg.workflows.drift_check import compare_with_training
from napari_bioseg.workflows.options import DriftOptions


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


def _passes(values: npt.NDArray[np.float64]) -> list[int]:
    """Return how many windows at once were run to the end of the network, each time that it was."""
    model, ran = load_model("membranes-unet2d"), []
    model.network.head.register_forward_hook(lambda _, __, logits: ran.append(len(logits)))
    image = image_from_array(np.clip(np.rint(values), 0, 255).astype(np.uint8), "YX")
    assert compare_with_training(image, model, DriftOptions(model="membranes-unet2d", device="cpu")).warned
    return ran


def test_the_network_is_run_to_its_end_only_while_a_size_may_be_the_cause(section: npt.NDArray[np.uint8]) -> None:
    windows = [1, 1, 1, 1]  # of the image as it is
    finer = _passes(ndimage.zoom(section.astype(np.float64), 2.5, order=1, mode="mirror", grid_mode=True))
    assert finer[:4] == windows
    assert 4 < len(finer) < 8  # of two sizes, on two halves of some windows each
    blobs = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(512, 512)), 2)
    assert _passes(128 + 250 * blobs) == windows


def test_an_inverted_image_is_told_though_it_is_a_little_unlike_the_training_in_any_case() -> None:
    # Another gamma than in the training.
    plane = 255 * (em_membranes((3, 512, 512), 1)[0][1] / 255) ** 1.4
    assert _first(255 - plane) == Cause("inverted", "light and dark are inverted: invert the image", "invert")
    assert _first(plane).name == "grey values"
