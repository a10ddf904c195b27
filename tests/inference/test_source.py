from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.grey import grey_values
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.inference.source import Source
from napari_bioseg.inference.tiles import Axis, Span
from napari_bioseg.models.normalise import Normalisation


def ramp(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def source(data: np.ndarray, axes: str, model_axes: str, **normalisation: object) -> Source:
    grid = [Axis(data.shape[axes.index(a)], 4, 2) for a in model_axes]
    return Source(da.from_array(data), axes, model_axes, grid, Normalisation.model_validate(normalisation))


def test_channel_is_chosen_and_told() -> None:
    array = ramp(2, 3, 4, 5)
    image = image_from_array(array, "TCYX")
    data, axes, note = grey_values(image, 2)
    assert axes == "TYX"
    assert note == "channel 2 of 3 is segmented"
    assert (np.asarray(data) == array[:, 2]).all()


def test_name_of_the_channel_is_told() -> None:
    image = Image((da.zeros((2, 4, 4)),), "CYX", (1.0,) * 3, (None,) * 3, (0.0,) * 3, channel_names=("DAPI", "GFP"))
    assert grey_values(image, 1)[2] == "channel 1 (GFP) of 2 is segmented"


@pytest.mark.parametrize(("shape", "axes"), [((4, 5), "YX"), ((2, 4, 5), "CYX"), ((4, 5, 3), "YXS")])
def test_missing_channel_is_refused(shape: tuple[int, ...], axes: str) -> None:
    with pytest.raises(RecipeError, match="channel 7"):
        grey_values(image_from_array(ramp(*shape), axes), 7)


def test_colour_becomes_luminance() -> None:
    array = np.random.default_rng(0).integers(0, 255, (4, 5, 4), np.uint8)
    data, axes, note = grey_values(image_from_array(array, "YXS"), 0)
    assert axes == "YX"
    assert note is not None
    assert "luminance" in note
    np.testing.assert_allclose(np.asarray(data), array[..., :3] @ [0.299, 0.587, 0.114], rtol=1e-5)


def test_a_single_grey_image_needs_no_remark() -> None:
    assert grey_values(image_from_array(ramp(4, 5), "YX"), 0)[2] is None


def test_figures_come_from_the_plane_not_from_the_box() -> None:
    data = ramp(3, 40, 50)
    for z in range(3):
        whole = source(data, "ZYX", "YX").read({"Z": z}, [Span(0, 40), Span(0, 50)])
        part = source(data, "ZYX", "YX").read({"Z": z}, [Span(10, 20), Span(30, 40)])
        assert (part == whole[10:20, 30:40]).all()
        low, high = np.percentile(data[z], (1, 99))
        np.testing.assert_allclose(whole, (data[z] - low) / (high - low), atol=1e-4)


def test_figures_of_a_volume_are_shared_by_its_planes() -> None:
    data = ramp(2, 3, 8, 9)
    read = source(data, "TZYX", "YX", scope="volume", method="zscore").read({"T": 1, "Z": 2}, [Span(0, 8), Span(0, 9)])
    np.testing.assert_allclose(read, (data[1, 2] - data[1].mean()) / data[1].std(), atol=1e-4)


def test_a_3d_model_may_be_normalised_plane_by_plane() -> None:
    data = ramp(5, 8, 9) ** 2
    read = source(data, "ZYX", "ZYX", scope="plane", method="zscore").read({}, [Span(1, 4), Span(0, 8), Span(0, 9)])
    expected = np.stack([(p - p.mean()) / p.std() for p in data[1:4]])
    np.testing.assert_allclose(read, expected, atol=1e-4)


def test_fixed_figures_read_nothing() -> None:
    read = source(ramp(4, 5), "YX", "YX", method="fixed", low=2, high=12).read({}, [Span(0, 4), Span(0, 5)])
    np.testing.assert_allclose(read, (ramp(4, 5) - 2) / 10, atol=1e-6)


def test_beyond_the_border_the_image_is_mirrored() -> None:
    data = ramp(3, 2)
    read = source(data, "YX", "YX", method="fixed", low=0, high=1).read({}, [Span(-4, 6), Span(-3, 4)])
    expected = np.pad(data, ((4, 3), (3, 2)), mode="symmetric")
    assert (read == expected).all()


def test_of_a_large_image_a_sample_is_taken() -> None:
    rows = da.arange(40_000, chunks=2000)[:, None] * da.ones((1, 20_000), chunks=2000)
    grid = [Axis(40_000, 0, 1), Axis(20_000, 0, 1)]
    large = Source(rows, "YX", "YX", grid, Normalisation(low=0, high=100))
    # 0 becomes 0 and the last row 1, but for rows between those of the sample.
    read = large.read({}, [Span(39_998, 40_000), Span(5, 7)])
    np.testing.assert_allclose(read, 1, atol=2e-3)
