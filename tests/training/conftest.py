"""Small pairs on disk and a recipe that learns them in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from scipy import ndimage

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.io.boxes import write_boxes_csv
from napari_bioseg.models.model import write_model
from napari_bioseg.models.registry import build_network
from napari_bioseg.simulate.emccd import Particles, draw
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.training import make_card


def blobs(seed: int, shape: tuple[int, ...] = (4, 48, 48)) -> tuple[np.ndarray, np.ndarray]:
    """Bright blobs on noise, and where they are."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=shape), (0, 4, 4))
    truth = field > np.quantile(field, 0.7)
    image = np.clip(60 + 80 * truth + rng.normal(0, 15, shape), 0, 255).astype(np.uint8)
    return image, truth.astype(np.uint8) * 255


@pytest.fixture
def make_recipe(tmp_path: Path) -> Callable[..., Recipe]:
    for name, seed in {"a": 0, "b": 1, "c": 2}.items():
        image, label = blobs(seed)
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
        tifffile.imwrite(tmp_path / f"{name}-label.tif", label)

    def make(**changes: Any) -> Recipe:
        values: dict[str, Any] = {
            "name": "blobs",
            "card": {"title": "Blobs", "summary": "Blobs", "licence": "CC0", "data": "simulated", "split": "by file"},
            "architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [4, 8], "dropout": 0.1}},
            "input": {"axes": "YX"},
            "classes": [{"value": 1, "name": "blob"}],
            "root": str(tmp_path),
            "pairs": [
                {"image": f"{n}.tif", "label": f"{n}-label.tif", "axes": "ZYX", "group": n, "use": use}
                for n, use in {"a": "train", "b": "val", "c": "test"}.items()
            ],
            "label_values": {0: 0, 255: 1},
            "patch": [32, 32],
            "batch": 2,
            "epochs": 2,
            "steps": 3,
            "validate_every": 1,
            "averaging": 0.5,
            "device": "cpu",
        }
        return Recipe.checked({**values, **changes}, "test")

    return make


@pytest.fixture
def start(make_recipe: Callable[..., Recipe], tmp_path: Path) -> Path:
    """A model of `make_recipe` to continue from, with random weights."""
    recipe = make_recipe(
        input={"axes": "YX", "pixel_size": {"Y": 0.5, "X": 0.5}, "normalisation": {"low": 3}},
        output={"threshold": 0.3, "separate": 0.8},
    )
    torch.manual_seed(7)
    network = build_network(recipe.architecture.name, recipe.architecture.arguments)
    write_model(tmp_path / "start", make_card(recipe), network, "# blobs\n")
    return tmp_path / "start"


def spots(seed: int, frames: int = 3, shape: tuple[int, int] = (48, 64)) -> tuple[np.ndarray, Boxes]:
    """Frames with three bright spots each but the last, and their boxes."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(6, np.array(shape) - 6, (3 * (frames - 1), 2))
    frame = np.repeat(np.arange(frames - 1), 3)
    image = np.full((frames, *shape), 10.0)
    for t in range(frames - 1):
        image[t] += draw(shape, Particles(centre[frame == t], np.full(3, 1.5), np.full(3, 3000.0)))
    return rng.poisson(image).astype(np.uint16), Boxes.of(centre, np.full((len(centre), 2), 6.0), frame=frame)


@pytest.fixture
def make_box_recipe(tmp_path: Path) -> Callable[..., Recipe]:
    for name, seed in {"a": 0, "b": 1, "c": 2}.items():
        image, boxes = spots(seed)
        tifffile.imwrite(tmp_path / f"{name}.tif", image, photometric="minisblack")
        write_boxes_csv(tmp_path / f"{name}.csv", boxes)

    def make(**changes: Any) -> Recipe:
        values: dict[str, Any] = {
            "name": "spots",
            "card": {"title": "Spots", "summary": "Spots", "licence": "CC0", "data": "simulated", "split": "by file"},
            "task": "detection",
            "architecture": {"name": "yolo", "arguments": {"widths": [4, 8]}},
            "input": {"axes": "YX"},
            "classes": [{"value": 1, "name": "spot"}],
            "root": str(tmp_path),
            "pairs": [
                {"image": f"{n}.tif", "boxes": f"{n}.csv", "axes": "TYX", "group": n, "use": use}
                for n, use in {"a": "train", "b": "val", "c": "test"}.items()
            ],
            "patch": [32, 32],
            "batch": 2,
            "losses": {"centres": 1.0, "boxes": 1.0},
            "select_on": "f1",
            "metrics": ["map50", "count_error"],
            "epochs": 1,
            "steps": 2,
            "device": "cpu",
        }
        return Recipe.checked({**values, **changes}, "test")

    return make


@pytest.fixture
def make_project(make_project: Callable[..., Path]) -> Callable[..., Path]:
    """Return how to make a project of six planes of blobs; see the fixture of the whole suite."""
    image, truth = blobs(3, (6, 48, 48))
    return lambda name, *args, **facts: make_project(name, image, truth > 0, *args, **facts)
