"""The network of kinds: its reach is what it says, and its features are its logits."""

from __future__ import annotations

import pytest
import torch

from napari_bioseg.models.registry import build_network


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build_network("kind_cnn", {"out_channels": 3, "widths": [4, 6, 8], "hidden": 8}).eval()


def test_nothing_beyond_the_halo_counts_and_something_at_it_does(network):
    reached = []
    for p in range(96, 96 + network.stride[0]):
        x = torch.randn(1, 1, 224, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        network(x)[0, :, p].sum().backward()
        rows = torch.nonzero(x.grad[0, 0].abs().sum(dim=1)).ravel()
        reached += [p - int(rows.min()), int(rows.max()) - p]
    assert max(reached) == network.halo[0]


def test_the_mean_of_the_features_is_that_of_the_logits(network):
    x = torch.randn(2, 1, 32, 48, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        logits, features = network(x), network.features(x)
        assert torch.equal(network.halfway(x)[1](), logits)
    assert logits.shape == (2, 3, 32, 48)
    assert features.shape == (2, 3, 4, 6)
    assert torch.allclose(logits.mean(dim=(2, 3)), features.mean(dim=(2, 3)), atol=1e-6)
