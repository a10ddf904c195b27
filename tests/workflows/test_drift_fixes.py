"""What is done to an image that a model does not know."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import tifffile

from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.drift import OUTPUT, Cause
from napari_bioseg.models import load_model
from napari_bioseg.models.card import ArchitectureSpec, Card, InputSpec
from napari_bioseg.workflows.drift_check import compare_with_training
from napari_bioseg.workflows.drift_fixes import can_fix, fixed
from napari_bioseg.workflows.options import DriftOptions

DENOISE, INVERT = Cause("noise", "", "denoise"), Cause("inverted", "", "invert")
RESAMPLE, CORRECT = Cause("pixel size", "", "resample", 2.0), Cause("blur", "")


def make_card(axes="YX", **sizes):
    return Card(
        name="tiny", title="Tiny", summary="Nothing", architecture=ArchitectureSpec(name="unet"),
        input=InputSpec(axes=axes, pixel_size=sizes), classes=({"value": 1, "name": "thing"},),
        licence="CC0", data="none", split="none",
    )  # fmt: skip


@pytest.fixture
def movie(tmp_path):
    """Two levels of a movie in two channels, in chunks."""
    values = np.random.default_rng(0).integers(0, 4096, (3, 2, 40, 60)).astype(np.uint16)
    return Image(
        levels=(da.from_array(values, chunks=(1, 1, 16, 32)), da.from_array(values[..., ::2, ::2])),
        axes="TCYX", scale=(2.0, 1.0, 0.1, 0.1), units=("second", None, "micrometer", "micrometer"),
        translate=(0.0, 0.0, 5.0, 6.0), name="movie", source=tmp_path / "movie.tif", channel_names=("a", "b"),
        level_scales=((2.0, 1.0, 0.1, 0.1), (2.0, 1.0, 0.2, 0.2)),
    )  # fmt: skip


@pytest.mark.parametrize("cause", [DENOISE, INVERT])
def test_everything_but_the_pixels_stays(movie, cause):
    made = fixed(movie, cause, make_card())
    for name in ("axes", "scale", "units", "translate", "channel_names", "level_scales", "dtype", "shape"):
        assert getattr(made, name) == getattr(movie, name), name
    assert [level.shape for level in made.levels] == [level.shape for level in movie.levels]
    assert made.source is None, "it is not what the file says"
    assert made.name != movie.name


def test_noise_is_smoothed_in_each_plane_whatever_the_chunks_are(movie):
    from scipy import ndimage

    made = fixed(movie, DENOISE, make_card())
    assert made.name == "movie (denoised)"
    plane = np.asarray(movie.data[1, 1]).astype(np.float32)
    assert np.array_equal(np.asarray(made.data[1, 1]), np.rint(ndimage.gaussian_filter(plane, 1.0)))
    small = np.asarray(movie.levels[1][1, 1]).astype(np.float32)
    assert np.array_equal(np.asarray(made.levels[1][1, 1]), np.rint(ndimage.gaussian_filter(small, 0.5)))


def test_the_finer_the_image_the_wider_the_filter(movie):
    from scipy import ndimage

    made = fixed(movie, DENOISE, make_card(Y=0.2, X=0.3))
    plane = np.asarray(movie.data[0, 0]).astype(np.float32)
    assert np.allclose(np.asarray(made.data[0, 0]), ndimage.gaussian_filter(plane, (2, 3)), atol=0.6)


def test_an_image_of_a_few_pixels_is_smoothed(movie):
    made = fixed(image_from_array(np.eye(3, dtype=bool), "YX"), DENOISE, make_card())
    assert np.asarray(made.data).shape == (3, 3)


@pytest.mark.parametrize(("kind", "total"), [("uint8", 255), ("uint16", 65535), ("int16", -1)])
def test_light_and_dark_change_places_in_the_range_of_the_type(kind, total):
    values = np.arange(12).reshape(3, 4).astype(kind)
    made = fixed(image_from_array(values, "YX"), INVERT, make_card())
    assert made.dtype == kind
    assert np.array_equal(np.asarray(made.data), total - values.astype(int))


def test_floats_are_inverted_in_their_own_range_and_what_is_transparent_stays():
    values = np.array([[2, 3], [np.nan, 7]], np.float32)
    made = fixed(image_from_array(values, "YX"), INVERT, make_card())
    assert made.dtype == np.float32
    assert np.array_equal(np.asarray(made.data), [[7, 6], [np.nan, 2]], equal_nan=True)
    colour = np.full((2, 2, 4), 200, np.uint8)
    made = fixed(image_from_array(colour, "YXS"), INVERT, make_card())
    assert np.asarray(made.data)[0, 0].tolist() == [55, 55, 55, 200]


def test_a_pixel_size_is_given_and_no_pixel_changed(movie):
    bare = replace(movie, units=(None,) * 4, scale=(1.0,) * 4, level_scales=((1.0,) * 4, (1.0, 1.0, 2.0, 2.0)))
    made = fixed(bare, RESAMPLE, make_card(Y=0.3, X=0.2))
    assert made.pixel_size() == (0.6, 0.4)
    assert made.units[:2] == (None, None)
    assert made.scale[:2] == (1.0, 1.0)
    assert made.translate == pytest.approx((0, 0, 5 * 0.6, 6 * 0.4)), "it lies where it lay, in pixels"
    assert made.level_scales[1] == pytest.approx((1, 1, 1.2, 0.8))
    assert made.levels == bare.levels


def test_planes_keep_the_distance_that_the_file_says():
    volume = image_from_array(np.zeros((4, 8, 8), np.uint8), "ZYX", pixel_size={"Z": 3.0})
    card = make_card("ZYX", Z=5.0, Y=1.0, X=1.0)
    assert fixed(volume, RESAMPLE, card).pixel_size() == (3.0, 2.0, 2.0)
    bare = image_from_array(np.zeros((4, 8, 8), np.uint8), "ZYX")
    assert fixed(bare, RESAMPLE, card).pixel_size() == (5.0, 2.0, 2.0)


def test_what_cannot_be_mended_is_said(movie):
    assert can_fix(RESAMPLE, make_card(Y=1.0, X=1.0))
    assert not can_fix(RESAMPLE, make_card()), "the model has no pixel size"
    assert not can_fix(CORRECT, make_card())
    with pytest.raises(ValueError, match="blur"):
        fixed(movie, CORRECT, make_card())


def inverted(plane):
    return 255 - plane


def noisy(plane):
    return np.clip(40 + 0.6 * plane + np.random.default_rng(0).normal(0, 50, plane.shape), 0, 255).astype(np.uint8)


def coarser(plane):
    return plane[:510, :510].reshape(170, 3, 170, 3).mean((1, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "cause", "sizes"),
    [
        (inverted, INVERT, {"Y": 0.004, "X": 0.004}),
        (noisy, DENOISE, {"Y": 0.004, "X": 0.004}),
        (coarser, replace(RESAMPLE, amount=3.0), {}),
    ],
)
def test_a_shipped_model_knows_real_images_again(data_dir, change, cause, sizes):
    plane = tifffile.imread(data_dir / "membranes" / "image.tif")[5]
    model, options = load_model("membranes-unet2d"), DriftOptions(model="membranes-unet2d", device="cpu")
    image = image_from_array(change(plane), "YX", pixel_size=sizes)
    assert compare_with_training(image, model, options).warned
    better = compare_with_training(fixed(image, cause, model.card), model, options)
    assert max(ratio for name, ratio in better.ratios.items() if name not in OUTPUT) <= 1, better
    # As much noise leaves its mark: V^Rand of the smoothed plane is 0.13 below that of the clean one, and it is told.
    assert better.warned == (change is noisy), better
