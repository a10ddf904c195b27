"""Pairs are normalised, resampled and checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_bioseg.core import IncompatibleImageError, RecipeError
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.io.boxes import write_boxes_csv
from napari_bioseg.models.card import InputSpec
from napari_bioseg.models.normalise import Normalisation
from napari_bioseg.simulate.emccd import Particles, draw
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


def test_weights_follow_their_target_to_the_models_pixel_size() -> None:
    grey = np.random.default_rng(0).normal(size=(2, 40, 60)).astype(np.float32)
    target, weight = np.full(grey.shape, -1, np.int16), np.zeros(grey.shape, np.float32)
    target[0, 10:31, 7:40], weight[0, 10:31, 7:40] = 1, 3
    spec = InputSpec(axes="YX", pixel_size={"Y": 2.0, "X": 1.0})
    sample = prepare(grey, target, {"Y": 1.0, "X": 2.0}, spec, group="g", use="train", weight=weight)
    assert sample.weight is not None
    assert sample.weight.shape == sample.target.shape == (2, 20, 120)
    assert set(np.unique(sample.weight)) == {0, 3}
    assert ((sample.weight > 0) == (sample.labels >= 0)).mean() > 0.99
    assert (sample.labels == 1).sum() == pytest.approx(21 * 33, rel=0.05)


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


def _peak(plane: np.ndarray) -> np.ndarray:
    """Centre of mass of what is bright."""
    y, x = np.indices(plane.shape)
    near = (plane - np.median(plane)).clip(0)
    return np.array([(near * v).sum() / near.sum() for v in (y, x)])


@pytest.mark.parametrize("axes", ["TYX", "ZYX", "TZYX"])
def test_boxes_follow_their_image_to_the_models_pixel_size(
    make_box_recipe: Callable[..., Recipe], tmp_path: Path, axes: str
) -> None:
    image = np.full((2, 2, 50, 70), 5.0)
    boxes = Boxes.of([[12, 20], [30, 50]], [[6, 8], [6, 8]], frame=[0, 1], z=[1, 0])
    for i in range(2):
        one = Particles(boxes.centre[i : i + 1], np.array([2.0]), np.array([1000.0]))
        image[boxes.frame[i], boxes.z[i]] += draw((50, 70), one)
    if axes != "TZYX":
        image = image.reshape(4, 50, 70)
        place = {"frame" if axes == "TYX" else "z": [1, 2]}
        boxes = Boxes.of(boxes.centre, boxes.size, **place)
    pixels = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(tmp_path / "s.ome.tif", image.astype(np.float32), metadata={"axes": axes, **pixels})
    write_boxes_csv(tmp_path / "s.csv", boxes)
    recipe = make_box_recipe(
        pairs=[{"image": "s.ome.tif", "boxes": "s.csv", "group": "s"}],
        input={"axes": "YX", "pixel_size": {"Y": 0.05, "X": 0.2}},
    )
    (sample,) = load_samples(recipe, ("train",))
    assert sample.image.shape == (4, 100, 35)
    assert sample.boxes.z.tolist() == [1, 2]
    assert sample.boxes.size.tolist() == [[12, 4], [12, 4]]
    for z, centre in zip(sample.boxes.z, sample.boxes.centre, strict=True):
        assert _peak(sample.image[z]) == pytest.approx(centre, abs=0.1)


def test_planes_of_a_stack_of_frames_are_cut(make_box_recipe: Callable[..., Recipe]) -> None:
    recipe = make_box_recipe()
    pair = recipe.pairs[0].model_copy(update={"planes": (1, 3)})
    (sample,) = load_samples(recipe.model_copy(update={"pairs": (pair,)}), ("train",))
    assert sample.image.shape == (2, 48, 64)
    assert sample.boxes.z.tolist() == [0, 0, 0]


# As the engine does it: it takes the figures of a volume from one frame.
@pytest.mark.parametrize(("axes", "same"), [("TYX", (1, 1, 1, 1)), ("ZYX", (0, 0, 0, 1)), ("TZYX", (0, 1, 0, 1))])
def test_frames_are_normalised_one_by_one(
    make_box_recipe: Callable[..., Recipe], tmp_path: Path, axes: str, same: tuple[int, ...]
) -> None:
    ramp = np.linspace(0, 1, 20 * 30).reshape(20, 30)
    image = np.stack([ramp * top for top in (1, 2, 4, 8)]).astype(np.float32)
    shape = (2, 2, 20, 30) if axes == "TZYX" else image.shape
    tifffile.imwrite(tmp_path / "s.ome.tif", image.reshape(shape), metadata={"axes": axes})
    write_boxes_csv(tmp_path / "s.csv", Boxes.of([[10, 10]], [[4, 4]]))
    recipe = make_box_recipe(
        pairs=[{"image": "s.ome.tif", "boxes": "s.csv", "group": "s"}],
        input={"axes": "YX", "normalisation": {"scope": "volume", "low": 0, "high": 100}},
    )
    (sample,) = load_samples(recipe, ("train",))
    assert tuple(np.isclose(sample.image.max(axis=(1, 2)), 1)) == tuple(map(bool, same))


@pytest.mark.parametrize(("task", "generator"), [("semantic", "vesicle_scene"), ("detection", "em_membranes")])
def test_a_generator_must_make_what_the_task_learns_from(
    make_box_recipe: Callable[..., Recipe], task: str, generator: str
) -> None:
    made = {"generator": generator, "count": 1, "arguments": {"shape": [1, 64, 64]}}
    with pytest.raises(RecipeError, match=f"{generator}.*does not make what {task}"):
        load_samples(make_box_recipe(task=task, pairs=[], simulated=[made]), ("train",))
