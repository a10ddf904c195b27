"""However a patch is turned, its boxes stay on its particles."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.simulate.emccd import Particles, draw
from napari_bioseg.tasks.detection import decode
from napari_bioseg.training.box_patches import draw_box_patch
from napari_bioseg.training.recipe import Augmentation
from napari_bioseg.training.sample import Sample

PLAIN = Augmentation(rotation=0, zoom=0, elastic=0, brightness=0, contrast=0, gamma=0, blur=0, noise=0)


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    centre = np.concatenate([rng.uniform(5, 75, (8, 2)) for _ in range(2)])
    planes = [
        draw((80, 80), Particles(centre[i * 8 : i * 8 + 8], np.full(8, 1.5), np.full(8, 100.0))) for i in range(2)
    ]
    boxes = Boxes.of(centre, np.full((16, 2), 6.0), z=np.repeat([0, 1], 8))
    return Sample(np.stack(planes).astype(np.float32), boxes, "simulated", "train")


@pytest.mark.parametrize("seed", range(12))
def test_boxes_lie_on_the_particles(sample, seed):
    image, target = draw_box_patch(sample, (48, 48), PLAIN, True, torch.Generator().manual_seed(seed))
    assert image.shape == (1, 48, 48)
    assert target.shape == (6, 48, 48)
    found = decode(target[[0, 2, 3, 4, 5]].numpy(), 0.99)
    assert len(found) > 0
    y, x = np.indices((48, 48))
    for centre in found.centre:
        near = (np.hypot(y - centre[0], x - centre[1]) < 2.5) * image[0].numpy()
        at = [(near * v).sum() / near.sum() for v in (y, x)]
        alone = np.sort(np.linalg.norm(found.centre - centre, axis=1))[1:2].min(initial=99) > 9
        inside = (centre > 4).all() and (centre < 43).all()
        if alone and inside:
            assert np.allclose(at, centre, atol=0.25)


def test_a_patch_larger_than_the_image_is_mirrored_without_boxes(sample):
    image, target = draw_box_patch(sample, (96, 96), PLAIN, True, torch.Generator().manual_seed(0))
    assert image.shape == (1, 96, 96)
    assert len(decode(target[[0, 2, 3, 4, 5]].numpy(), 0.99)) <= 8


def test_a_seed_gives_the_same_patch(sample):
    one, two = (draw_box_patch(sample, (48, 48), Augmentation(), True, torch.Generator().manual_seed(3)) for _ in "ab")
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])


def test_the_only_box_of_a_large_image_is_found():
    image = np.zeros((5, 900, 1100), np.float32)
    sample = Sample(image, Boxes.of([[3.0, 1097.0]], [[5, 5]], z=3), "g", "train")
    places = set()
    for seed in range(6):
        _, target = draw_box_patch(sample, (32, 32), PLAIN, True, torch.Generator().manual_seed(seed))
        found = decode(target[[0, 2, 3, 4, 5]].numpy(), 0.99)
        assert len(found) == 1
        places.add(tuple(found.centre[0].round()))
    assert len(places) > 1


def test_an_image_without_boxes_is_a_negative(sample):
    empty = Sample(sample.image, Boxes.none(), "g", "train")
    _, target = draw_box_patch(empty, (48, 48), PLAIN, True, torch.Generator().manual_seed(0))
    assert not target.any()
