"""Small networks with lively answers, and models around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import nn

from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.models.card import ArchitectureSpec, Card, InputSpec, OutputSpec
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.models.unet import UNet

MakeModel = Callable[..., Model]


def lively(network: UNet, seed: int = 0) -> UNet:
    """Give random weights and random statistics, such that logits spread over some units around 0."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            fan_in = module.weight[0].numel()
            module.weight.data = torch.randn(module.weight.shape, generator=generator) * (2 / fan_in) ** 0.5
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator) * 0.2)
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    network.eval()
    with torch.inference_mode():
        side = [4 * s for s in network.stride]
        logits = network(torch.rand((1, 1, *side), generator=generator))
    axes = [i for i in range(logits.ndim) if i != 1]
    gain = 2 / logits.std(dim=axes).clamp_min(1e-6)
    network.head.weight.data *= gain.view(-1, *(1,) * (network.head.weight.ndim - 1))
    network.head.bias.data = (network.head.bias.data - logits.mean(dim=axes)) * gain
    return network


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    def make(
        dims: int = 2,
        *,
        classes: int = 1,
        activation: str = "sigmoid",
        pixel_size: dict[str, float] | None = None,
        normalisation: dict[str, Any] | None = None,
        widths: Sequence[int] = (4, 8),
        network: Network | None = None,
        **arguments: Any,
    ) -> Model:
        channels = classes + (activation == "softmax")
        net = network or lively(UNet(dims=dims, out_channels=channels, widths=widths, **arguments))
        card = Card(
            name="tiny",
            title="Tiny",
            summary="Nothing",
            architecture=ArchitectureSpec(name="unet"),
            input=InputSpec(
                axes="YX" if dims == 2 else "ZYX",
                pixel_size=pixel_size or {},
                normalisation=normalisation or {"scope": "plane" if dims == 2 else "volume"},
            ),
            output=OutputSpec(activation=activation),
            classes=tuple(ClassInfo(value=i + 1, name=f"class {i + 1}") for i in range(classes)),
            licence="BSD-3-Clause",
            data="none",
            split="none",
        )
        return Model(card, net)

    return make


@pytest.fixture(scope="session")
def anisotropic() -> dict[str, Any]:
    """Arguments of a 3-D network that pools and looks less along Z, as for two-photon stacks."""
    return {
        "dims": 3,
        "widths": (3, 4, 5),
        "kernels": [[1, 3, 3], [3, 3, 3], [1, 3, 3]],
        "strides": [[1, 2, 2], [2, 2, 2]],
    }
