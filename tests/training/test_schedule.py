"""Learning rate and averaging."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from napari_bioseg.models.unet import UNet
from napari_bioseg.training.schedule import Average, learning_rate


def test_the_rate_rises_and_then_falls() -> None:
    rates = [learning_rate(s, 100, 0.1, 1.0) for s in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert rates[10] == pytest.approx(1.0)
    assert rates[-1] < 0.01


def test_the_average_follows_the_weights() -> None:
    network = UNet(dims=2, widths=(2, 2))
    average = Average(network, 0.9)
    for weights in network.parameters():
        torch.nn.init.constant_(weights, 1.0)
    for step in range(200):
        average.update(network, step)
    assert not average.network.training
    for a, b in zip(average.network.parameters(), network.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-3)
