"""The detector's reach is what it says, so that tiles are exact; and it is small."""

from __future__ import annotations

import pytest
import torch

from napari_bioseg.models.registry import build_network


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build_network("yolo", {"widths": [4, 8, 8]}).eval()


def test_it_gives_five_maps_and_expects_few_centres(network):
    with torch.inference_mode():
        maps = network(torch.zeros(1, 1, 32, 40)).sigmoid()
    assert maps.shape == (1, 5, 32, 40)
    assert maps[:, 0].mean() < 0.05


def test_nothing_beyond_the_halo_counts_and_something_at_it_does(network):
    halo = network.halo[0]
    reached = []
    for p in range(64, 64 + network.stride[0]):
        x = torch.randn(1, 1, 160, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        network(x)[0, :, p].sum().backward()
        rows = torch.nonzero(x.grad[0, 0].abs().sum(dim=1)).ravel()
        reached += [p - int(rows.min()), int(rows.max()) - p]
    assert max(reached) == halo


def test_the_shipped_size_is_within_three_million_parameters():
    network = build_network("yolo", {"widths": [16, 32, 64, 96]})
    assert sum(p.numel() for p in network.parameters()) < 3e6
