"""Epochs are chosen by the labels that users get."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.sample import Sample
from napari_bioseg.training.validate import validate


class _Same(torch.nn.Conv2d):
    """A network whose logits are the image."""

    stride = (1, 1)  # type: ignore[assignment]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image


def test_gaps_are_closed_as_the_recipe_says(make_recipe: Callable[..., Recipe]) -> None:
    target = np.ones((2, 24, 41), np.int16)
    target[..., 20] = 0
    logits = np.where(target, 5.0, -5.0).astype(np.float32)
    logits[:, 9:13, 20] = 0.5
    sample = Sample(logits, target, "gap", "val")
    off, on = (
        validate(make_recipe(select_on="v_rand", output={"separate": s}), _Same(1, 1, 1), [sample]) for s in (0, 0.95)
    )
    assert off < 0.8
    assert on > 0.99
