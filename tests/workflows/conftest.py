"""Squares on disk, and a recipe that learns them in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.training.recipe import Recipe


@pytest.fixture
def make_recipe(tmp_path: Path) -> Callable[..., Recipe]:
    rng = np.random.default_rng(0)
    for name in "abc":
        truth = np.zeros((32, 32), np.uint8)
        truth[8:24, 10:28] = 255
        image = (truth // 2 + rng.integers(0, 60, truth.shape)).astype(np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", image, photometric="minisblack")
        tifffile.imwrite(tmp_path / f"{name}-label.tif", truth, photometric="minisblack")

    def make(**changes: Any) -> Recipe:
        values: dict[str, Any] = {
            "name": "squares",
            "card": {"title": "Squares", "summary": "Squares", "licence": "CC0", "data": "made", "split": "by file"},
            "architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [2, 4]}},
            "input": {"axes": "YX"},
            "classes": [{"value": 1, "name": "square"}],
            "root": str(tmp_path),
            "pairs": [
                {"image": f"{n}.tif", "label": f"{n}-label.tif", "group": n, "use": use}
                for n, use in {"a": "train", "b": "val", "c": "test"}.items()
            ],
            "patch": [16, 16],
            "batch": 1,
            "epochs": 1,
            "steps": 2,
            "device": "cpu",
        }
        return Recipe.checked({**values, **changes}, "test")

    return make
