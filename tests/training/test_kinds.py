"""Whole images of one kind each: which files they are, and how often each is drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import tifffile
import torch

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.training.augment import change_tone
from napari_bioseg.training.batches import draw_batch
from napari_bioseg.training.kinds import kind_planes, with_files
from napari_bioseg.training.pairs import load_samples
from napari_bioseg.training.recipe import Augmentation
from napari_bioseg.training.sample import Sample

KINDS = {
    "task": "classification",
    "architecture": {"name": "kind_cnn", "arguments": {"out_channels": 2, "widths": [4, 4]}},
    "output": {"activation": "softmax"},
    "classes": [{"value": 1, "name": "blobs"}, {"value": 2, "name": "other"}],
    "label_values": {},
    "losses": {"bce": 1.0},
    "select_on": "log_likelihood",
    "metrics": ["accuracy"],
    "draw": "kinds",
    "foreground_share": 0,
    "simulated": [],
}


def test_patterns_stand_for_files_and_each_is_an_image(make_recipe):
    pairs = [{"images": ["[ab].tif"], "kind": "blobs", "group": "g", "axes": "ZYX", "planes": [1, 3]}]
    recipe = with_files(make_recipe(**KINDS, pairs=pairs))
    assert [pair.image for pair in recipe.pairs] == ["a.tif", "b.tif"]
    samples = load_samples(recipe, ("train",))
    assert [s.image.shape for s in samples] == [(2, 48, 48)] * 2
    assert np.unique(samples[0].labels).tolist() == [1]
    with pytest.raises(RecipeError, match="stands for no file"):
        with_files(make_recipe(**KINDS, pairs=[{"images": ["x*"], "kind": "blobs", "group": "g"}]))
    with pytest.raises(RecipeError, match=r"below the root"):
        with_files(make_recipe(**KINDS, pairs=[{"images": ["/etc/*"], "kind": "blobs", "group": "g"}]))


@pytest.mark.parametrize(("kind", "said"), [("cats", "'cats', which is no class"), (None, "does not say its kind")])
def test_a_kind_that_is_no_class_is_refused(make_recipe, kind, said):
    recipe = make_recipe(**KINDS, pairs=[{"image": "a.tif", "kind": kind, "group": "g", "axes": "ZYX"}])
    with pytest.raises(RecipeError, match=said):
        kind_planes(recipe, recipe.pairs[0])


def test_of_colours_the_luminance_is_learnt_and_of_channels_the_first(make_recipe, tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (20, 24, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "rgb.tif", colours, photometric="rgb")
    tifffile.imwrite(tmp_path / "channels.tif", np.moveaxis(colours, -1, 0), photometric="minisblack")
    pairs = [{"image": "rgb.tif", "kind": "other", "group": "g"}]
    pairs += [{"image": "channels.tif", "kind": "other", "group": "g", "axes": "CYX"}]
    recipe = make_recipe(**KINDS, pairs=pairs)
    grey, first = (kind_planes(recipe, pair) for pair in recipe.pairs)
    assert np.allclose(grey[0], colours @ (0.299, 0.587, 0.114), atol=0.01)
    assert np.array_equal(first, colours[None, :, :, 0])


def test_kinds_are_drawn_evenly_and_the_last_as_often_as_all_of_them(make_recipe):
    one = {"axes": "ZYX", "planes": [0, 1]}
    pairs = [{"image": n, "kind": "blobs", "group": "g", **one} for n in ("a.tif", "b.tif", "c.tif")]
    pairs += [{"image": "a.tif", "kind": kind, "group": "g", **one} for kind in ("sheets", "other")]
    classes = [{"value": i, "name": name} for i, name in enumerate(("blobs", "sheets", "other"), start=1)]
    recipe = make_recipe(**KINDS | {"classes": classes}, pairs=pairs, batch=40, patch=[8, 8])
    samples = load_samples(recipe, ("train",))
    targets = torch.cat([draw_batch(recipe, samples, step)[1] for step in range(10)])
    drawn = Counter(targets.flatten(1).amax(dim=1).tolist())
    assert [drawn[kind] / 400 for kind in (1, 2, 3)] == pytest.approx([0.25, 0.25, 0.5], abs=0.06)


def test_the_last_kind_may_be_augmented_in_a_way_of_its_own(make_recipe):
    one = {"image": "a.tif", "axes": "ZYX", "planes": [0, 1]}
    pairs = [{**one, "kind": kind, "group": kind} for kind in ("blobs", "other")]
    still = dict.fromkeys(("rotation", "zoom", "elastic", "brightness", "contrast", "gamma", "blur", "noise"), 0.0)
    options = {"augmentation": still, "other_augmentation": {**still, "invert": 1.0}}
    recipe = make_recipe(**KINDS, **options, pairs=pairs, batch=20, patch=[8, 8])
    samples = load_samples(recipe, ("train",))
    images, targets, _ = draw_batch(recipe, samples, 0)
    plain, _, _ = draw_batch(recipe.model_copy(update={"other_augmentation": None}), samples, 0)
    for image, target, before in zip(images, targets, plain, strict=True):
        assert torch.allclose(image, 1 - before if int(target.max()) == 2 else before, atol=1e-5)


def test_light_and_dark_are_exchanged_in_some_patches():
    still = dict.fromkeys(("brightness", "contrast", "gamma", "blur", "noise"), 0.0)
    image = torch.linspace(0, 1, 12).reshape(1, 3, 4)
    sample = Sample(image.numpy(), np.zeros(image.shape, np.int16), "g", "train")
    for share, wanted in ((0.0, image), (1.0, 1 - image)):
        generator = torch.Generator().manual_seed(0)
        changed = change_tone(image, sample, Augmentation(**still, invert=share), generator)
        assert torch.allclose(changed, wanted)
