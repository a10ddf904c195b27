"""Patches: reproducible, aligned with their targets, and honest about what is not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_bioseg.models.normalise import Normalisation
from napari_bioseg.training.augment import draw_patch
from napari_bioseg.training.recipe import Augmentation
from napari_bioseg.training.sample import Sample

NONE = Augmentation(
    flips=False, rotation=0, zoom=0, elastic=0, brightness=0, contrast=0, gamma=0, blur=0, noise=0, poisson=0, haze=0
)


def _sample(shape: tuple[int, int, int] = (6, 64, 64)) -> Sample:
    target = np.zeros(shape, np.int16)
    target[:, 20:44, 26:38] = 1
    return Sample(target.astype(np.float32), target, "g", "train")


def _draw(options: Augmentation, seed: int = 0, patch: tuple[int, ...] = (32, 32)) -> tuple[torch.Tensor, torch.Tensor]:
    return draw_patch(_sample(), patch, options, False, torch.Generator().manual_seed(seed))[:2]


@pytest.mark.parametrize("patch", [(32, 32), (4, 32, 32), (3, 24, 40)])
def test_shapes(patch: tuple[int, ...]) -> None:
    image, target = _draw(Augmentation(), patch=patch)
    assert image.shape == (1, *patch)
    assert target.shape == patch
    assert torch.isfinite(image).all()


def test_the_seed_alone_decides() -> None:
    for a, b in zip(_draw(Augmentation(), 3), _draw(Augmentation(), 3), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(_draw(Augmentation(), 3)[0], _draw(Augmentation(), 4)[0])


@pytest.mark.parametrize("seed", range(8))
def test_image_and_target_move_together(seed: int) -> None:
    # The image is its own target here, so after any bending they must still agree but at edges.
    moving = NONE.model_copy(update={"flips": True, "rotation": 45, "zoom": 0.3, "elastic": 6})
    image, target = _draw(moving, seed)
    known = target >= 0
    assert ((image[0] > 0.5) == (target == 1))[known].float().mean() > 0.97


def test_without_augmentation_a_patch_is_a_crop() -> None:
    image, target = _draw(NONE)
    assert torch.allclose(image[0], target.float(), atol=1e-5)


def test_some_patches_are_left_straight() -> None:
    image = np.random.default_rng(0).integers(0, 9, (1, 64, 64)).astype(np.float32)
    sample = Sample(image, np.zeros(image.shape, np.int16), "g", "train")
    options = NONE.model_copy(update={"rotation": 45, "zoom": 0.3, "elastic": 6, "bent": 0.3})
    drawn = [
        draw_patch(sample, (32, 32), options, False, torch.Generator().manual_seed(seed))[0] for seed in range(200)
    ]
    straight = [torch.allclose(patch, patch.round(), atol=1e-3) for patch in drawn]
    assert 0.6 < np.mean(straight) < 0.8


def test_beyond_the_image_nothing_is_known() -> None:
    sample = _sample((2, 16, 16))
    _, target, _ = draw_patch(sample, (4, 32, 32), NONE, False, torch.Generator().manual_seed(0))
    assert (target >= 0).sum() == 2 * 16 * 16


def test_foreground_is_in_the_middle_when_asked() -> None:
    sample = _sample((1, 64, 64))
    for seed in range(5):
        _, target, _ = draw_patch(sample, (16, 16), NONE, True, torch.Generator().manual_seed(seed))
        assert target[8, 8] == 1


def test_rare_classes_are_in_the_middle_as_often_as_common_ones() -> None:
    target = np.zeros((1, 64, 64), np.int16)
    target[:, 10:54, 10:54] = 1
    target[0, 30, 30] = 3
    sample = Sample(target.astype(np.float32), target, "g", "train")
    middle = []
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        middle.append(int(draw_patch(sample, (16, 16), NONE, True, generator, balanced=True)[1][8, 8]))
    assert set(middle) == {1, 3}
    assert 10 < middle.count(3) < 30
    empty = replace(sample, target=np.zeros_like(target))
    assert not draw_patch(empty, (16, 16), NONE, True, torch.Generator(), balanced=True)[1].any()


@pytest.mark.parametrize("change", ["brightness", "contrast", "gamma", "blur", "noise", "poisson", "haze"])
def test_each_change_changes_grey_values_only(change: str) -> None:
    sample = Sample(_sample().image / 2 + 0.25, _sample().target, "g", "train")

    def draw(options: Augmentation, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        return draw_patch(sample, (32, 32), options, False, torch.Generator().manual_seed(seed))[:2]

    pairs = [(draw(NONE, seed), draw(NONE.model_copy(update={change: 1.0}), seed)) for seed in range(6)]
    assert all(torch.equal(plain[1], changed[1]) for plain, changed in pairs)
    # Some changes are made to half of the patches only.
    assert any(not torch.allclose(plain[0], changed[0], atol=1e-3) for plain, changed in pairs)


NOISY = NONE.model_copy(update={"noise": 0.05, "poisson": 0.02, "renormalise": True})


def test_noise_is_followed_by_the_normalisation_of_a_noisy_image() -> None:
    rng = np.random.default_rng(0)
    raw = 100 + rng.gamma(4, 5, (1, 256, 256)) + rng.uniform(0, 700, (1, 256, 256)) * (rng.random((1, 256, 256)) < 0.05)
    how = Normalisation(method="background", scope="volume", low=1, high=25)
    sample = Sample(how.apply(raw), np.zeros(raw.shape, np.int16), "g", "train", normalisation=how)
    spread = []
    for seed in range(8):
        plain, again = (
            draw_patch(sample, (128, 128), options, False, torch.Generator().manual_seed(seed))[0].numpy()
            for options in (NOISY.model_copy(update={"renormalise": False}), NOISY)
        )
        low, middle = np.percentile(again, (1, 50.5))
        assert (low, middle) == pytest.approx((0, 1 / 25), abs=0.006)
        spread.append(np.percentile(plain, 50.5) - np.percentile(plain, 1))
        # Nothing else is done to it: one offset and one gain.
        assert np.corrcoef(plain.ravel(), again.ravel())[0, 1] > 0.99999
    # Half of the patches have one noise, half the other.
    assert max(spread) > 2 * min(spread) > 0.05


def test_fixed_grey_values_stay_as_they_are_under_noise() -> None:
    def generator() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    image = np.random.default_rng(0).uniform(0, 1, (1, 64, 64)).astype(np.float32)
    how = Normalisation(method="fixed", low=0, high=255)
    sample = Sample(image, np.zeros(image.shape, np.int16), "g", "train", normalisation=how)
    plain = draw_patch(sample, (32, 32), NOISY.model_copy(update={"renormalise": False}), False, generator())
    assert torch.equal(plain[0], draw_patch(sample, (32, 32), NOISY, False, generator())[0])


MOVING = Augmentation(rotation=45, zoom=0.3, elastic=6)


@pytest.mark.parametrize("seed", range(8))
def test_weights_move_with_the_target(seed: int) -> None:
    sample = _sample()
    weight = np.where(sample.target == 1, 7, 1).astype(np.float32)
    generator = torch.Generator().manual_seed(seed)
    _, target, moved = draw_patch(replace(sample, weight=weight), (4, 32, 32), MOVING, False, generator)
    assert torch.equal(moved, torch.tensor([0.0, 1.0, 7.0])[target + 1])
    *_, ones = draw_patch(sample, (32, 32), MOVING, False, torch.Generator().manual_seed(seed))
    assert (ones == 1).all()


@pytest.mark.parametrize("foreground", [False, True])
def test_patches_are_drawn_where_something_is_known(foreground: bool) -> None:
    target = np.full((9, 300, 300), -1, np.int16)
    target[3, 100:102, 200:203] = 0
    target[5, 150, 20] = 1
    sample = Sample(np.zeros(target.shape, np.float32), target, "g", "train", (target >= 0).astype(np.float32))
    drawn = []
    for seed in range(40):
        _, found, _ = draw_patch(sample, (16, 16), NONE, foreground, torch.Generator().manual_seed(seed))
        assert found[8, 8] >= 0
        drawn.append(int(found[8, 8]))
    assert sum(drawn) > 38 if foreground else 0 < sum(drawn) < 15


def test_known_pixels_are_counted_in_order() -> None:
    target = np.random.default_rng(0).integers(-1, 2, (3, 4, 5)).astype(np.int16)
    sample = Sample(target.astype(np.float32), target, "g", "train")
    places = [sample.known_pixel(i) for i in range(sample.known)]
    assert places == [tuple(p) for p in np.argwhere(target >= 0).tolist()]
