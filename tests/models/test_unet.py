"""The U-Net says truly how far it reaches and where its tiles may start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from napari_bioseg.core import RecipeError
from napari_bioseg.models.registry import ARCHITECTURES, build_network
from napari_bioseg.models.unet import UNet

NETWORKS: list[dict[str, Any]] = [
    {"dims": 2, "widths": (4, 8)},
    {"dims": 2, "widths": (4, 4, 8, 8)},
    {"dims": 3, "widths": (4, 4, 4), "kernels": ((1, 3, 3), (3, 3, 3), (3, 3, 3)), "strides": ((1, 2, 2), (2, 2, 2))},
]


def _linear(network: UNet) -> UNet:
    """Make the dependencies visible: a dead unit or a losing maximum would hide them from gradients."""
    average = {2: torch.nn.AvgPool2d, 3: torch.nn.AvgPool3d}[len(network.stride)]
    network.pools = torch.nn.ModuleList(average(s) for s in network.strides)
    for block in (*network.encoder, *network.decoder):
        for i, layer in enumerate(block):
            if isinstance(layer, torch.nn.ReLU):
                block[i] = torch.nn.Identity()
    for weights in network.parameters():
        torch.nn.init.constant_(weights, 0.1)
    return network.double().eval()


def _reach(network: UNet, axis: int) -> int:
    """Largest distance at which the input changes an output pixel."""
    period, halo = network.stride[axis], network.halo[axis]
    margin = (halo // period + 1) * period
    dims = len(network.stride)
    size = [2 * margin + period if i == axis else network.stride[i] for i in range(dims)]
    x = torch.ones(1, 1, *size, dtype=torch.double, requires_grad=True)
    y = network(x)
    far = 0
    for place in range(margin, margin + period):
        (gradient,) = torch.autograd.grad(
            y[(0, 0, *(place if i == axis else 0 for i in range(dims)))], x, retain_graph=True
        )
        moved = gradient[0, 0].abs().sum(dim=[i for i in range(dims) if i != axis]).nonzero().flatten()
        far = max(far, int((moved - place).abs().max()))
    return far


@pytest.mark.parametrize("arguments", NETWORKS)
def test_halo_is_the_exact_reach(arguments: dict[str, Any]) -> None:
    network = UNet(**arguments)
    expected = network.halo
    assert tuple(_reach(_linear(network), axis) for axis in range(len(expected))) == expected


def test_halo_by_hand() -> None:
    # Two levels: two 3x3 convolutions (2), pooling, two at half resolution (4), two more (2); the worst
    # position within a pooling cell adds 1.
    assert UNet(dims=2, widths=(2, 4)).halo == (9, 9)


@pytest.mark.parametrize("arguments", NETWORKS)
def test_logits_have_the_shape_of_the_image(arguments: dict[str, Any]) -> None:
    network = UNet(**arguments, out_channels=3)
    size = tuple(2 * s for s in network.stride)
    assert network(torch.zeros(1, 1, *size)).shape == (1, 3, *size)


def test_stride_is_the_product_of_the_poolings() -> None:
    assert UNet(**NETWORKS[2]).stride == (2, 4, 4)


def test_levels_must_fit() -> None:
    with pytest.raises(ValueError, match="2 levels"):
        UNet(dims=2, widths=(4, 8), kernels=((3, 3),))


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        ARCHITECTURES.register("unet")(UNet)


def test_unknown_architecture_names_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="unet"):
        build_network("resnet", {})


@pytest.mark.parametrize("arguments", NETWORKS)
def test_features_are_the_coarsest_activations_and_take_no_decoder(arguments: dict[str, Any]) -> None:
    network = UNet(**arguments).eval()
    ran: list[torch.nn.Module] = []
    for block in (*network.decoder, network.head):
        block.register_forward_hook(lambda module, *_: ran.append(module))
    size = tuple(3 * s for s in network.stride)
    deepest: list[torch.Tensor] = []
    network.encoder[-1].register_forward_hook(lambda _, __, out: deepest.append(out))
    x = torch.rand(2, 1, *size)
    found = network.features(x)
    assert found.shape == (2, arguments["widths"][-1], *(3,) * len(size))
    assert not ran
    network(x)
    assert torch.equal(deepest[1], found)


@pytest.mark.parametrize("arguments", NETWORKS)
def test_halfway_goes_on_to_the_logits_without_a_second_encoder(arguments: dict[str, Any]) -> None:
    network = UNet(**arguments).eval()
    ran: list[torch.nn.Module] = []
    for block in network.encoder:
        block.register_forward_hook(lambda module, *_: ran.append(module))
    x = torch.rand(2, 1, *(3 * s for s in network.stride))
    features, finish = network.halfway(x)
    assert torch.equal(features, network.features(x))
    del ran[:]
    logits = finish()
    assert not ran
    assert torch.equal(logits, network(x))
    assert torch.equal(finish(), logits)


def test_stretched_grey_values_keep_black_and_white_and_bring_dim_ones_up() -> None:
    torch.manual_seed(0)
    plain, stretched = (UNet(dims=2, widths=[4, 8], stretch=s).eval() for s in (0.0, 0.05))
    stretched.load_state_dict(plain.state_dict())
    x = torch.rand((1, 1, 16, 16))
    x[..., 0], x[..., 1] = 0, 1
    seen = torch.from_numpy(np.arcsinh(x.numpy() / 0.05) / np.arcsinh(20)).float()
    assert torch.allclose(seen[..., :2], x[..., :2])
    assert (seen[..., 2:] > x[..., 2:]).all()
    with torch.inference_mode():
        assert torch.allclose(stretched(x), plain(seen), atol=1e-5)
        assert not torch.allclose(stretched(x), plain(x), atol=1e-3)
