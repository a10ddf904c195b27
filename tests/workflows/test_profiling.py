from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tests.training.conftest import blobs, make_recipe  # noqa: F401 - a fixture

from napari_bioseg.core.job import Job
from napari_bioseg.drift import DISTANCES, Profile
from napari_bioseg.io import open_image
from napari_bioseg.models.model import Model
from napari_bioseg.models.registry import build_network
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.drift_check import compare_with_training
from napari_bioseg.workflows.options import DriftOptions
from napari_bioseg.workflows.profiling import profile_training
from napari_bioseg.workflows.training import make_card

Make = Callable[..., Recipe]


def _model(recipe: Recipe, profile: dict[str, Any] | None = None) -> Model:
    network = build_network(recipe.architecture.name, recipe.architecture.arguments).eval()
    return Model(make_card(recipe).model_copy(update={"profile": profile or {}}), network)


@pytest.fixture
def recipe(make_recipe: Make, tmp_path: Path) -> Recipe:  # noqa: F811
    for i in range(3):
        image, label = blobs(10 + i, (8, 96, 96))
        tifffile.imwrite(tmp_path / f"s{i}.tif", image)
        tifffile.imwrite(tmp_path / f"s{i}-label.tif", label)
    pairs = [
        {"image": f"s{i}.tif", "label": f"s{i}-label.tif", "axes": "ZYX", "group": f"g{i}", "use": use}
        for i, use in enumerate(("train", "train", "test"))
    ]
    return make_recipe(pairs=pairs)


def test_a_profile_is_of_what_is_trained_on_and_knows_more_of_the_same(recipe: Recipe, tmp_path: Path) -> None:
    model = _model(recipe)
    profile = profile_training(recipe, model, Job())
    read = Profile.checked(profile, "card")
    assert (read.images, read.groups, list(read.thresholds)) == (16, 2, list(DISTANCES))
    known = Model(model.card.model_copy(update={"profile": profile}), model.network)
    unseen = open_image(tmp_path / "s2.tif", axes="ZYX")
    options = DriftOptions(model="blobs")
    assert not compare_with_training(unseen, known, options).warned
    noisy = np.asarray(unseen.data) // 2 + np.random.default_rng(0).integers(0, 128, unseen.shape, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "noisy.tif", noisy.astype(np.uint8))
    assert compare_with_training(open_image(tmp_path / "noisy.tif", axes="ZYX"), known, options).warned


def test_objects_of_the_labels_are_described(recipe: Recipe, tmp_path: Path) -> None:
    label = np.zeros((8, 96, 96), np.uint8)
    label[:, 10:20, 10:20] = label[:, 50:60, 50:60] = 255
    for i in range(2):
        tifffile.imwrite(tmp_path / f"s{i}-label.tif", label)
    objects = profile_training(recipe, _model(recipe), Job())["objects"]
    assert objects["share"] == pytest.approx(200 / 96**2)
    assert objects["per_megapixel"] == pytest.approx(2e6 / 96**2)
    assert objects["diameter"] == pytest.approx(2 * np.sqrt(100 / np.pi))


def test_a_few_planes_are_cut_in_quarters_and_one_window_alone_tells_nothing(recipe: Recipe) -> None:
    one = recipe.pairs[0].model_copy(update={"planes": (0, 1)})
    few = recipe.model_copy(update={"pairs": (one, *recipe.pairs[2:])})
    assert profile_training(few, _model(few), Job())["images"] == 4
    none = recipe.model_copy(update={"pairs": recipe.pairs[2:]})
    assert profile_training(none, _model(none), Job()) == {}


def test_images_that_are_simulated_are_groups_of_their_own(make_recipe: Make) -> None:  # noqa: F811
    spec = {"generator": "em_membranes", "count": 3, "arguments": {"shape": [2, 64, 64]}, "group": "made", "seed": 5}
    recipe = make_recipe(pairs=[], simulated=[{**spec, "use": "train"}])
    profile = profile_training(recipe, _model(recipe), Job())
    assert (profile["groups"], profile["images"]) == (3, 6)


def test_images_of_other_folders_are_another_kind(make_recipe: Make, tmp_path: Path) -> None:  # noqa: F811
    pairs = []
    for i in range(4):
        folder = tmp_path / "ab"[i % 2]
        folder.mkdir(exist_ok=True)
        image, label = blobs(10 + i, (2 + 2 * (i % 2), 64, 64))
        for name, values in (("", image // (1 + i % 2)), ("-label", label)):
            tifffile.imwrite(folder / f"s{i}{name}.tif", values)
        file = f"{folder.name}/s{i}"
        pairs.append({"image": f"{file}.tif", "label": f"{file}-label.tif", "axes": "ZYX", "group": f"g{i}"})
    recipe = make_recipe(pairs=pairs)
    profile = profile_training(recipe, _model(recipe), Job())
    assert (profile["images"], [kind["images"] for kind in profile["others"]]) == (8, [4])
