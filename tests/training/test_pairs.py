"""Pairs are normalised, resampled and checked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tifffile

from napari_bioseg.core import IncompatibleImageError, RecipeError
from napari_bioseg.models.card import InputSpec
from napari_bioseg.models.normalise import Normalisation
from napari_bioseg.training.pairs import load_samples, prepare
from napari_bioseg.training.recipe import Recipe


def test_samples_keep_group_and_use(make_recipe: Callable[..., Recipe]) -> None:
    samples = load_samples(make_recipe(), ("train", "val"))
    assert [(s.group, s.use, s.image.shape) for s in samples] == [
        ("a", "train", (4, 48, 48)),
        ("b", "val", (4, 48, 48)),
    ]
    assert set(np.unique(samples[0].target)) == {0, 1}


def test_planes_are_cut(make_recipe: Callable[..., Recipe]) -> None:
    recipe = make_recipe()
    pair = recipe.pairs[0].model_copy(update={"planes": (1, 3)})
    (sample,) = load_samples(recipe.model_copy(update={"pairs": (pair,)}), ("train",))
    assert sample.image.shape == (2, 48, 48)


def test_values_that_the_mapping_leaves_out_are_unknown(make_recipe: Callable[..., Recipe]) -> None:
    (sample,) = load_samples(make_recipe(label_values={255: 1}), ("train",))
    assert set(np.unique(sample.target)) == {-1, 1}


def test_a_mask_needs_no_label_values(make_recipe: Callable[..., Recipe]) -> None:
    mapped, plain = (load_samples(make_recipe(**more), ("train",))[0] for more in ({}, {"label_values": {}}))
    assert np.array_equal(mapped.labels, plain.labels)
    assert plain.labels.max() == 1


def test_wrong_arguments_of_a_generator_are_named(make_recipe: Callable[..., Recipe]) -> None:
    made = {"generator": "vessel_tree", "count": 1, "arguments": {"size": 3}}
    with pytest.raises(RecipeError, match="size"):
        load_samples(make_recipe(simulated=[made]), ("train",))


def test_shapes_must_agree(make_recipe: Callable[..., Recipe]) -> None:
    recipe = make_recipe()
    tifffile.imwrite(f"{recipe.root}/a-label.tif", np.zeros((4, 48, 47), np.uint8))
    with pytest.raises(IncompatibleImageError, match="47"):
        load_samples(recipe, ("train",))


def test_no_pair_is_an_error(make_recipe: Callable[..., Recipe]) -> None:
    recipe = make_recipe()
    with pytest.raises(RecipeError, match="no pair"):
        load_samples(recipe.model_copy(update={"pairs": recipe.pairs[1:]}), ("train",))


def test_an_unknown_generator_is_named(make_recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(RecipeError, match="vessel_tree"):
        load_samples(make_recipe(simulated=[{"generator": "open", "count": 1}]), ("train",))


def test_simulated_volumes_join_the_training(make_recipe: Callable[..., Recipe]) -> None:
    made = {"generator": "vessel_tree", "count": 2, "arguments": {"shape": [4, 32, 32], "voxel_size": [5, 1, 1]}}
    samples = load_samples(make_recipe(simulated=[made]), ("train",))
    assert [s.group for s in samples] == ["a", "simulated", "simulated"]
    assert not np.array_equal(samples[1].image, samples[2].image)


def test_images_come_to_the_models_pixel_size() -> None:
    rng = np.random.default_rng(0)
    grey = rng.normal(size=(3, 40, 60)).astype(np.float32)
    target = np.zeros((3, 40, 60), np.int16)
    target[:, 10:30, 15:45] = 1
    spec = InputSpec(axes="YX", pixel_size={"Y": 2.0, "X": 1.0})
    sample = prepare(grey, target, {"Z": 5.0, "Y": 1.0, "X": 2.0}, spec, group="g", use="train")
    assert sample.image.shape == sample.target.shape == (3, 20, 120)
    assert sample.target[:, 5:15, 30:90].min() == 1
    assert sample.target.mean() == pytest.approx(target.mean(), abs=0.01)


# The engine takes such images as they are: a training that resampled them would learn other pixels than it meets.
@pytest.mark.parametrize(
    "sizes", [{"Y": 1.0, "X": None}, {"Y": 1.0, "X": 9.0}, {"Y": 1.0, "X": 0.11}, {"Y": 1.019, "X": 0.99}]
)
def test_images_are_resampled_as_the_engine_does_it(sizes: dict[str, float | None]) -> None:
    grey = np.random.default_rng(0).normal(size=(2, 100, 100)).astype(np.float32)
    for trained in ({"Y": 1.0, "X": 1.0}, {"Z": 3.0, "Y": 1.0, "X": 1.0}):
        spec = InputSpec(axes="YX", pixel_size=trained)
        sample = prepare(grey, np.zeros(grey.shape, np.int16), {"Z": 1.0, **sizes}, spec, group="g", use="train")
        assert sample.image.shape == grey.shape


def test_a_volume_is_normalised_as_one() -> None:
    grey = np.stack([np.full((8, 8), v, np.float32) for v in (0, 50, 100)])
    spec = InputSpec(axes="ZYX", normalisation=Normalisation(scope="volume", low=0, high=100))
    sample = prepare(grey, np.zeros(grey.shape, np.int16), {}, spec, group="g", use="train")
    assert sample.image[:, 0, 0] == pytest.approx([0, 0.5, 1])
