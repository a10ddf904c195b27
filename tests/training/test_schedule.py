"""Optimisers, learning rate and averaging."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch

from napari_bioseg.models.unet import UNet
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.schedule import Average, Plateau, learning_rate, make_optimiser

MakeRecipe = Callable[..., Recipe]


def _rates(make_recipe: MakeRecipe, drops: int = 0, **changes: Any) -> list[float]:
    recipe = make_recipe(**{"epochs": 100, "steps": 1, "warm_up": 0.1, "learning_rate": 2.0, **changes})
    return [learning_rate(recipe, step, drops) for step in range(recipe.epochs)]


@pytest.mark.parametrize("schedule", ["cosine", "warm_restarts", "plateau", "constant"])
def test_the_rate_rises_first(make_recipe: MakeRecipe, schedule: str) -> None:
    rates = _rates(make_recipe, schedule=schedule)
    assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert rates[10] == pytest.approx(2.0)


def test_a_cosine_falls_to_nearly_nothing(make_recipe: MakeRecipe) -> None:
    rates = _rates(make_recipe)
    assert all(a >= b for a, b in pairwise(rates[10:]))
    # Half-way after the rise: the mean of the highest and the lowest.
    assert rates[55] == pytest.approx(2 * (1 + 0.005) / 2)
    assert rates[-1] < 0.02


def test_restarts_take_twice_as_long_each_time(make_recipe: MakeRecipe) -> None:
    rates = _rates(make_recipe, schedule="warm_restarts", cycles=2, warm_up=0, epochs=91)[1:]
    # Cycles of 30 and 60 steps.
    assert [i for i, (a, b) in enumerate(pairwise(rates), start=1) if b > a] == [30]
    assert rates[0] == rates[30] == pytest.approx(2.0)
    assert rates[15] == rates[60] == pytest.approx(2 * (1 + 0.005) / 2)
    assert max(rates[29], rates[89]) < 0.04


def test_one_cycle_rises_and_falls(make_recipe: MakeRecipe) -> None:
    rates = _rates(make_recipe, schedule="one_cycle")
    assert rates[0] == pytest.approx(2 * 0.04)
    assert rates[30] == max(rates) == pytest.approx(2.0)
    assert rates[15] == pytest.approx(2 * (1 + 0.04) / 2)
    assert rates[-1] < 0.002


def test_a_plateau_divides_by_three(make_recipe: MakeRecipe) -> None:
    assert _rates(make_recipe, drops=2, schedule="plateau")[50] == pytest.approx(2 / 9)
    assert _rates(make_recipe, drops=2, schedule="constant")[50] == 2


def test_a_plateau_is_found() -> None:
    plateau, drops = Plateau(), []
    for epoch, value in enumerate([1, 2, 2, None, 1, 3, 3, 3, 3, 3], start=1):
        plateau.look(value, epoch, 2)
        drops.append(plateau.drops)
    # Two epochs after the best of epoch 2, one late as the fourth was not measured; then every two after epoch 6.
    assert drops == [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(("momentum", "moved"), [(0.0, 2.0), (0.5, 1.5 + 1.75)])
def test_sgd_has_nesterovs_momentum(make_recipe: MakeRecipe, momentum: float, moved: float) -> None:
    network = UNet(dims=2, widths=(2, 2))
    recipe = make_recipe(optimiser="sgd", momentum=momentum, learning_rate=1.0, weight_decay=0)
    optimiser, weight = make_optimiser(recipe, network), network.head.bias
    before = weight.detach().clone()
    for _ in range(2):
        weight.grad = torch.ones_like(weight)
        optimiser.step()
    # By hand: the second step has the gradient, and half of the velocity 1 + 0.5.
    assert float((before - weight).detach()) == pytest.approx(moved)


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
