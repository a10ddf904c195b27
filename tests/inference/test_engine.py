from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.job import Job
from napari_bioseg.inference.engine import TorchEngine, bytes_per_pixel, fused
from napari_bioseg.inference.tiles import Span


@pytest.mark.parametrize("dims", [2, 3])
def test_fusing_changes_nothing_but_rounding(make_model: Any, dims: int) -> None:
    network = make_model(dims, widths=(4, 8, 16)).network
    x = torch.rand((1, 1) + (16,) * dims)
    with torch.inference_mode():
        before, after = network(x), fused(network)(x)
    assert not any(isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d) for m in fused(network).modules())
    assert any(isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d) for m in network.modules())
    np.testing.assert_allclose(after, before, atol=2e-5)


def test_only_the_crop_is_given(make_model: Any) -> None:
    network = make_model(classes=2, activation="softmax").network
    tile = np.random.default_rng(0).random((16, 24)).astype(np.float32)
    engine = TorchEngine(network, "cpu", "softmax")
    whole = engine(tile, [Span(0, 16), Span(0, 24)])
    assert whole.shape == (3, 16, 24)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(engine(tile, [Span(3, 5), Span(0, 9)]), whole[:, 3:5, :9], atol=1e-6)


def test_a_network_that_gives_not_a_number_gives_nothing(make_model: Any) -> None:
    tile = np.full((4, 4), np.nan, np.float32)
    assert not TorchEngine(make_model().network, "cpu", "sigmoid")(tile, [Span(0, 4)] * 2).any()


def test_a_network_stops_between_its_layers(make_model: Any) -> None:
    job = Job()
    engine = TorchEngine(make_model().network, "cpu", "sigmoid")
    engine.watch(job.check)
    tile, crop = np.zeros((8, 8), np.float32), [Span(0, 8)] * 2
    engine(tile, crop)
    job.cancel()
    with pytest.raises(Cancelled):
        engine(tile, crop)


def test_memory_grows_with_the_width_of_the_network(make_model: Any) -> None:
    narrow, wide = (bytes_per_pixel(make_model(widths=w).network) for w in ((4, 8), (16, 32)))
    # The widest layer takes the two halves of a skip connection and gives one of them: 3 * 16 channels of 4 bytes.
    assert wide == 3 * 4 * 3 * 16
    assert narrow == wide // 4
