from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_bioseg.core.errors import Cancelled, RecipeError
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.inference.options import NetworkOptions
from napari_bioseg.inference.windows import Encoder, read_windows
from napari_bioseg.models.model import Model, read_model
from napari_bioseg.models.zoo import load_model


@pytest.fixture
def flat(tiny_zoo: Path) -> Model:
    return read_model(tiny_zoo / "tiny2d")


@pytest.fixture
def deep(tiny_zoo: Path) -> Model:
    return read_model(tiny_zoo / "tiny3d")


def _image(shape: tuple[int, ...], axes: str) -> Image:
    return image_from_array(np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8), axes)


def test_windows_are_spread_over_a_plane_and_hold_its_pixels(flat: Model) -> None:
    pixels = np.arange(1200 * 1500, dtype=np.uint32).reshape(1200, 1500)
    windows = read_windows(image_from_array(pixels, "YX"), flat, Encoder(flat), count=12)
    assert 9 <= len(windows) <= 16
    found = [divmod(int(window.raw[0, 0]), 1500) for window in windows]
    for window, (y, x) in zip(windows, found, strict=True):
        np.testing.assert_array_equal(window.raw, pixels[y : y + 256, x : x + 256])
    for starts, size in zip(map(set, zip(*found, strict=True)), pixels.shape, strict=True):
        # As far from either border, and none upon another.
        assert min(starts) == pytest.approx(size - 256 - max(starts), abs=16)
        assert min(np.diff(sorted(starts))) >= 256
    assert len(set(found)) == len(windows)


def test_grey_values_are_those_that_the_network_is_given(flat: Model) -> None:
    image = _image((64, 96), "YX")
    (window,) = read_windows(image, flat, Encoder(flat))
    low, high = np.percentile(np.asarray(image.data), (1, 99))
    np.testing.assert_allclose(window.grey, (np.asarray(image.data) - low) / (high - low), rtol=1e-4, atol=1e-4)
    with torch.inference_mode():
        features = flat.network.features(torch.from_numpy(window.grey)[None, None])[0].mean((1, 2)).numpy()
    np.testing.assert_allclose(window.features, features, rtol=1e-3, atol=1e-4)


def test_windows_of_a_stack_lie_in_several_planes(flat: Model) -> None:
    windows = read_windows(_image((3, 10, 64, 64), "TZYX"), flat, Encoder(flat), count=4)
    planes = [window.plane for window in windows]
    assert len(set(planes)) == 4
    assert {t for t, _ in planes} == {0, 1, 2}


def test_windows_of_a_volume_are_volumes(deep: Model) -> None:
    windows = read_windows(_image((20, 64, 200), "ZYX"), deep, Encoder(deep), count=4)
    assert {window.grey.shape for window in windows} == {(8, 64, 128)}
    assert len({window.plane for window in windows}) == 2
    assert windows[0].flat.shape == (64, 128)
    np.testing.assert_array_equal(windows[0].flat, windows[0].grey[4])


def test_an_image_smaller_than_a_window_of_any_size_is_looked_at(flat: Model) -> None:
    (window,) = read_windows(_image((37, 51), "YX"), flat, Encoder(flat))
    assert window.grey.shape == (36, 50)
    (tiny,) = read_windows(_image((1, 1), "YX"), flat, Encoder(flat))
    assert np.isfinite(tiny.features).all()


def test_only_the_region_and_the_channel_asked_for_are_read(flat: Model) -> None:
    values = np.zeros((2, 4, 64, 64), np.uint8)
    values[1, 2] = np.random.default_rng(0).integers(0, 255, (64, 64))
    image = image_from_array(values, "CZYX")
    box = (slice(2, 3), slice(0, 64), slice(0, 32))
    (window,) = read_windows(image, flat, Encoder(flat), NetworkOptions(channel=1), box=box)
    np.testing.assert_array_equal(window.raw, values[1, 2, :, :32])
    assert window.plane == (2,)
    with pytest.raises(RecipeError, match="channel 2"):
        read_windows(image, flat, Encoder(flat), NetworkOptions(channel=2))


def test_an_encoder_takes_any_size(flat: Model) -> None:
    assert Encoder(flat)(np.zeros((7, 9), np.float32)).shape == (8,)


def test_looking_can_be_stopped(flat: Model) -> None:
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        read_windows(_image((64, 64), "YX"), flat, Encoder(flat), job=job)


def test_some_windows_have_what_the_network_says_of_them(flat: Model) -> None:
    image = _image((1200, 1500), "YX")
    windows = read_windows(image, flat, Encoder(flat), count=12, to_end=True)
    told = [window.chances for window in windows if window.chances is not None]
    assert (len(windows), len(told)) == (12, 4)
    assert all(window.chances is None for window in read_windows(image, flat, Encoder(flat)))
    with torch.inference_mode():
        expected = flat.network(torch.from_numpy(windows[0].grey)[None, None])[0].sigmoid().numpy()
    np.testing.assert_allclose(told[0], expected, rtol=1e-3, atol=1e-4)


def test_a_detector_is_not_run_to_its_end_and_a_window_of_any_size_keeps_it(flat: Model) -> None:
    encoder = Encoder(load_model("cdv-yolo"))
    (window,) = read_windows(_image((64, 64), "YX"), load_model("cdv-yolo"), encoder, to_end=True)
    assert window.chances is None
    features, chances = Encoder(flat).halfway([np.zeros((7, 9), np.float32)] * 3)
    assert features.shape == (3, 8)
    assert [chance.shape for chance in chances()] == [(1, 7, 9)] * 3


def test_windows_that_are_run_at_once_are_seen_as_alone(flat: Model) -> None:
    encoder, some = Encoder(flat), list(np.random.default_rng(0).random((3, 20, 30), np.float32))
    features, chances = encoder.halfway(some)
    for grey, mean, chance in zip(some, features, chances(), strict=True):
        (alone,), finish = encoder.halfway([grey])
        np.testing.assert_allclose(mean, alone, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(mean, encoder(grey), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(chance, finish()[0], rtol=1e-3, atol=1e-4)
