"""Small pictures of an image and of what was found in it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from PIL import Image as Picture

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.io import LabelsToWrite, open_image, write_ome_zarr
from napari_bioseg.workflows.thumbnails import thumbnail

ORANGE = (230, 159, 0)


def halves(png: bytes) -> tuple[np.ndarray, np.ndarray]:
    with Picture.open(BytesIO(png)) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    width = (pixels.shape[1] - 4) // 2
    return pixels[:, :width], pixels[:, -width:]


def ramp(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.linspace(0, 1000, shape[-1]), shape).astype(np.uint16)


def never(*shape: int, dtype: str = "uint16") -> da.Array:
    def read(block: np.ndarray) -> np.ndarray:
        raise AssertionError("a level that is larger than needed was read")

    return da.zeros(shape, dtype=dtype, chunks=-1).map_blocks(
        read, dtype=dtype, meta=np.empty((0,) * len(shape), dtype)
    )


def with_levels(*levels: da.Array, axes: str = "ZYX") -> Image:
    return replace(image_from_array(levels[0], axes), levels=levels)


def test_labels_are_coloured_on_the_image_beside_it() -> None:
    labels = np.zeros((300, 600), np.uint32)
    labels[100:200, 300:] = 1
    labels[100:200, :300] = 2
    plain, shown = halves(
        thumbnail(image_from_array(ramp(300, 600), "YX"), image_from_array(labels, "YX"), colors={1: "#ff0000"})
    )
    assert plain.shape == shown.shape == (128, 256, 3)
    assert np.ptp(plain, axis=2).max() < 12
    assert np.abs(plain[:40] - shown[:40]).max() < 12
    red, green, blue = shown[64, 200]
    assert red > green + 100
    assert green == pytest.approx(blue, abs=12)
    assert np.ptp(shown[64, 100]) > 50  # a colour of its own


def test_neighbouring_numbers_have_different_colours() -> None:
    labels = np.repeat(np.arange(8, dtype=np.uint32), 32) + np.zeros((32, 1), np.uint32)
    _, shown = halves(thumbnail(image_from_array(np.zeros((32, 256)), "YX"), image_from_array(labels, "YX")))
    colours = shown[16, 16::32]
    assert colours[0].tolist() == [0, 0, 0]
    assert min(np.abs(a - b).max() for i, a in enumerate(colours) for b in colours[:i]) > 20


def test_the_middle_plane_of_the_smallest_level_that_is_large_enough_is_read() -> None:
    pixels, values = np.zeros((11, 300, 256), np.uint16), np.zeros((11, 300, 256), np.uint32)
    pixels[5], values[5] = ramp(300, 256), 1
    image = with_levels(never(22, 1200, 1024), never(22, 600, 512), da.from_array(pixels), da.zeros((5, 75, 64)))
    labels = with_levels(never(22, 1200, 1024, dtype="uint32"), da.from_array(values))
    plain, shown = halves(thumbnail(image, labels))
    assert plain.shape[:2] == (256, 218)
    assert plain[128, -1].min() > 240
    assert (np.ptp(shown[:, 20:], axis=2) > 20).all()


def test_a_large_plane_without_a_pyramid_is_thinned_out_as_it_is_read() -> None:
    image = image_from_array(da.zeros((8192, 4096), np.uint8, chunks=1024), "YX")
    thumbnail(image_from_array(np.zeros((9, 9)), "YX"))  # what is imported for the first time
    tracemalloc.start()
    plain, _ = halves(thumbnail(image))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert plain.shape == (256, 128, 3)
    assert peak < 2**25 == 8192 * 4096


def test_only_boxes_of_the_plane_that_is_shown_are_drawn() -> None:
    boxes = Boxes.of([[31.5, 63.5], [31.5, 31.5], [31.5, 31.5]], [[16, 32]] * 3, frame=[1, 1, 0], z=[2, 0, 2])
    _, shown = halves(thumbnail(image_from_array(np.zeros((2, 4, 64, 128), np.uint8), "TZYX"), boxes=boxes))
    drawn = np.argwhere((np.abs(shown - ORANGE) < 12).all(axis=2))
    assert drawn.min(axis=0).tolist() == [48, 96]
    assert drawn.max(axis=0).tolist() == [80, 160]
    assert len(drawn) == 2 * (33 + 65) - 4


def test_the_channel_that_was_segmented_is_shown() -> None:
    pixels = np.stack([np.zeros((64, 64)), ramp(64, 64)])
    for channel, low in ((0, 0), (1, 240)):
        plain, _ = halves(thumbnail(image_from_array(pixels, "CYX"), channel=channel))
        assert (plain[32, -1] >= low).all()
        assert (plain[32, 0] == 0).all()


@pytest.mark.parametrize("stored", [False, True])
def test_colour_is_shown_as_such(tmp_path: Path, stored: bool) -> None:
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, 32:, 0] = pixels[..., 3] = 255
    image = image_from_array(pixels, "YXS")
    if stored:
        write_ome_zarr(tmp_path / "a.zarr", image, {}, provenance={})
        image = open_image(tmp_path / "a.zarr")
        assert image.axes == "CYX"
    plain, _ = halves(thumbnail(image))
    assert plain[128, 200].tolist() == [255, 0, 0]
    assert plain[128, 60].tolist() == [0, 0, 0]


def test_a_result_on_disk_has_a_picture(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((3, 40, 50)).astype(np.float32)
    pixels[1, 0, 0] = np.nan
    image = image_from_array(pixels, "ZYX")
    labels = LabelsToWrite((pixels > 0.5).astype(np.uint32), "ZYX", image.scale, image.units, image.translate)
    write_ome_zarr(tmp_path / "a.zarr", image, {"cells": labels}, provenance={})
    back = open_image(tmp_path / "a.zarr")
    first, again = (thumbnail(back, back.labels[0], colors={1: "#009e73"}) for _ in range(2))
    assert first == again
    plain, shown = halves(first)
    assert plain.shape == (205, 256, 3)
    assert (plain != shown).any()
