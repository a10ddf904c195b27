"""Windows are those of the paper, and an image in tiles gives what it gives as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_bioseg.core import RecipeError, image_from_array
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.models.card import Card
from napari_bioseg.models.model import Model
from napari_bioseg.models.registry import build_network
from napari_bioseg.models.swin import HEAD, SwinBlock
from napari_bioseg.models.swin_unet import SwinUNet
from napari_bioseg.training.recipe import read_recipe

RECIPES = Path(__file__).resolve().parents[2] / "models" / "recipes"
SMALL: dict[str, Any] = {"widths": (2, 32, 32), "windows": (4, 2)}


def lively(network: nn.Module) -> nn.Module:
    """Attention that tells pixels apart: as it begins it looks at all of a window alike."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.data = torch.randn(layer.weight.shape, generator=generator) * layer.in_features**-0.5
    return network.eval()


@pytest.mark.parametrize("shift", [0, 2, 1])
@torch.no_grad()
def test_a_block_is_attention_among_the_pixels_of_each_window(shift: int) -> None:
    window, height, width = 4, 8, 12
    block = SwinBlock(2 * HEAD, window, shift)
    lively(block)
    block.perceptron[-1].weight.zero_()
    block.perceptron[-1].bias.zero_()
    attention = block.attention
    attention.bias.copy_(torch.randn(attention.bias.shape, generator=torch.Generator().manual_seed(1)))
    x = torch.randn(1, height, width, 2 * HEAD, generator=torch.Generator().manual_seed(2))
    q, k, v = attention.project(block.attention_norm(x))[0].split(2 * HEAD, dim=-1)
    expected = torch.zeros(height, width, 2 * HEAD)
    pixels = [(y, x) for y in range(height) for x in range(width)]
    for y, x_ in pixels:
        # Where the borders of windows lie is counted from the first pixel of the image.
        mine = [
            p
            for p in pixels
            if all((a - shift) // window == (b - shift) // window for a, b in zip(p, (y, x_), strict=True))
        ]
        for head in (slice(0, HEAD), slice(HEAD, None)):
            bias = attention.bias[0 if head.start == 0 else 1].view(2 * window - 1, 2 * window - 1)
            weights = torch.stack(
                [q[y, x_, head] @ k[*p, head] / HEAD**0.5 + bias[y - p[0] + 3, x_ - p[1] + 3] for p in mine]
            ).softmax(0)
            expected[y, x_, head] = sum(w * v[*p, head] for w, p in zip(weights, mine, strict=True))
    assert torch.allclose(block(x)[0] - x[0], attention.out(expected), atol=1e-5)


def _reach(network: SwinUNet) -> int:
    """Largest distance at which the input changes an output pixel of the row in the middle."""
    period, halo = network.stride[0], network.halo[0]
    margin = (halo // period + 1) * period
    x = torch.rand(1, 1, 2 * margin + period, period, dtype=torch.double, requires_grad=True)
    y = network(x)
    far = 0
    for place in range(margin, margin + period):
        (gradient,) = torch.autograd.grad(y[0, 0, place, 0], x, retain_graph=True)
        far = max(far, int((gradient[0, 0].abs().sum(dim=1).nonzero().flatten() - place).abs().max()))
    return far


@pytest.mark.parametrize("windows", [(4, 2), (3, 3), (4,)])
def test_halo_is_the_exact_reach(windows: tuple[int, ...]) -> None:
    network = SwinUNet(widths=(2, 32, 32), windows=windows)
    lively(network)
    for layer in network.modules():
        # A dead unit or a losing maximum would hide what it depends on from gradients.
        for name, part in layer.named_children():
            if isinstance(part, nn.ReLU):
                setattr(layer, name, nn.Identity())
            if isinstance(part, nn.MaxPool2d):
                setattr(layer, name, nn.AvgPool2d(2))
    assert (_reach(network.double()),) * 2 == network.halo


def test_tiles_start_where_the_windows_of_all_levels_meet() -> None:
    assert SwinUNet(widths=(2, 2, 32, 32), windows=(8, 4)).stride == (32, 32)
    assert SwinUNet(widths=(2, 2, 32, 32), windows=(7, 7)).stride == (56, 56)


def test_logits_have_the_shape_of_the_image_and_features_that_of_the_coarsest_level() -> None:
    network = SwinUNet(out_channels=3, **SMALL)
    assert network(torch.zeros(2, 1, 16, 24)).shape == (2, 3, 16, 24)
    assert network.features(torch.zeros(2, 1, 16, 24)).shape == (2, 32, 4, 6)


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    card = Card(
        name="tiny",
        title="Tiny",
        summary="Nothing",
        architecture={"name": "swin_unet", "arguments": SMALL},
        input={"axes": "YX"},
        classes=({"value": 1, "name": "cell"},),
        licence="BSD-3-Clause",
        data="none",
        split="none",
    )
    network = lively(SwinUNet(**SMALL))
    with torch.no_grad():
        # Logits of some units around 0, or all would be alike.
        logits = network(torch.rand(1, 1, 64, 64))
        network.head.weight.mul_(2 / logits.std())
        network.head.bias.sub_(logits.mean()).mul_(2 / logits.std())
    return Model(card, network)


@pytest.mark.parametrize(("shape", "tile"), [((61, 83), 37), ((61, 7), 16), ((1, 1), 16)])
def test_an_image_in_tiles_gives_what_it_gives_as_a_whole(model: Model, shape: tuple[int, int], tile: int) -> None:
    image = image_from_array(np.random.default_rng(0).random(shape).astype(np.float32), "YX")
    whole, parts = (
        np.asarray(
            predict(image, model, PredictOptions(backend="torch", tile=edge, workers=2)).probabilities, np.float32
        )
        for edge in (256, tile)
    )
    assert whole.shape == (1, *shape)
    np.testing.assert_allclose(whole, parts, atol=1e-3)
    # Not by giving the same everywhere.
    assert whole.size == 1 or whole.std() > 0.1


def test_the_recipe_has_about_three_million_parameters() -> None:
    spec = read_recipe(RECIPES / "cells-swinunet.yaml").architecture
    network = build_network(spec.name, spec.arguments)
    assert 2.5e6 < sum(p.numel() for p in network.parameters()) < 3.5e6


@pytest.mark.parametrize("wrong", [{"widths": (8, 16), "windows": (4,)}, {"widths": (32, 32), "windows": (4, 4)}])
def test_levels_must_fit(wrong: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="multiples of 32"):
        build_network("swin_unet", wrong)


def test_blocks_are_left_out_in_training_alone() -> None:
    block = SwinBlock(HEAD, 2, 0, drop_path=0.999)
    x = torch.rand(1, 2, 2, HEAD)
    torch.manual_seed(0)
    assert torch.equal(block(x), x)
    assert not torch.equal(block.eval()(x), x)
