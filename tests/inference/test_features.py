"""One vector a tile: the mean of what the encoder says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job, Progress
from napari_bioseg.inference import PredictOptions
from napari_bioseg.inference.features import tile_features
from napari_bioseg.models.network import Network


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, shape, np.uint8)


class Grey(Network):
    """Its features are the grey values, so that every mean can be told beforehand."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self._dims = dims

    @property
    def stride(self) -> tuple[int, ...]:
        return (1,) * self._dims

    @property
    def halo(self) -> tuple[int, ...]:
        return (0,) * self._dims

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


FIXED = {"method": "fixed", "low": 0, "high": 255}


def test_it_is_the_mean_of_the_encoder(make_model: Any) -> None:
    model, array = make_model(widths=(4, 6)), noise(3, 24, 32)
    found = tile_features(image_from_array(array, "TYX"), model, (24, 32))
    assert found.shape == (3, 1, 1, 6)
    for plane, mine in zip(array, found[:, 0, 0], strict=True):
        offset, gain = model.card.input.normalisation.fit(plane)
        with torch.inference_mode():
            x = torch.from_numpy((plane - np.float32(offset)) * np.float32(gain))[None, None].clip(-10, 10)
            expected = model.network.features(x)[0].mean(dim=(1, 2)).numpy()
        np.testing.assert_allclose(mine, expected, atol=1e-4)


@pytest.mark.parametrize("axes", ["TZYX", "ZTYX"])
@pytest.mark.parametrize("dims", [2, 3])
def test_each_tile_of_each_plane_has_its_own_also_in_parts(make_model: Any, axes: str, dims: int) -> None:
    model, array = make_model(dims, network=Grey(dims), normalisation=FIXED), noise(2, 19, 30, 1030)
    if axes == "ZTYX":
        array = array.swapaxes(0, 1)
    image = image_from_array(array, axes)
    box = (slice(0, None), slice(1, None), slice(4, 30), slice(0, 1030))
    found = tile_features(image, model, (13, 600), box=box)
    part = array[box] / 255
    assert found.shape == (*part.shape[:2], 2, 2, 1)
    for row, y in enumerate((slice(0, 13), slice(13, 26))):
        for column, x in enumerate((slice(0, 600), slice(600, 1030))):
            expected = part[..., y, x].mean(axis=(2, 3))
            np.testing.assert_allclose(found[:, :, row, column, 0], expected, atol=1e-5)


def test_planes_of_a_volume_share_what_is_pooled_along_z(make_model: Any, anisotropic: dict[str, Any]) -> None:
    found = tile_features(image_from_array(noise(8, 16, 16), "ZYX"), make_model(**anisotropic), (16, 16))
    vectors = found[:, 0, 0]
    assert vectors.shape == (8, 5)
    assert (vectors[::2] == vectors[1::2]).all()
    assert (vectors[0] != vectors[2]).any()


def test_the_image_is_brought_to_the_pixel_size_of_the_model(make_model: Any) -> None:
    model = make_model(pixel_size={"Y": 1.0, "X": 1.0}, network=Grey(2), normalisation=FIXED)
    ramp = np.broadcast_to(np.arange(40, dtype=np.uint8), (40, 40))
    found = tile_features(image_from_array(ramp, "YX", pixel_size={"Y": 0.5, "X": 0.5}), model, (40, 20))
    np.testing.assert_allclose(found[0, :, 0] * 255, [9.5, 29.5], atol=0.3)


def test_progress_counts_parts_and_stops(make_model: Any) -> None:
    heard: list[Progress] = []
    job, image = Job(heard.append), image_from_array(noise(2, 20, 20), "ZYX")
    tile_features(image, make_model(), (10, 20), PredictOptions(device="cpu"), job=job)
    assert [(p.done, p.total) for p in heard] == [(i, 4) for i in range(5)]
    job.cancel()
    with pytest.raises(Cancelled):
        tile_features(image, make_model(), (10, 20), job=job)
