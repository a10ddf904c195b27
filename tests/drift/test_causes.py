"""Causes that are told of images that were changed on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from tests.drift.conftest import figures_of, texture

from napari_bioseg.drift import Cause, Figures, Profile, distances, find_causes, ratios


def _causes(
    figures: Figures, profile: Profile, *, sized: bool = True, inverted: Figures | None = None
) -> tuple[Cause, ...]:
    over = ratios(distances(figures, profile), profile)
    other = ratios(distances(inverted, profile), profile) if inverted else over
    return find_causes(figures, profile, over, inverted=other, sized=sized, title="Blobs")


def test_what_is_like_the_training_has_no_cause(profile: Profile) -> None:
    assert _causes(figures_of(texture(50)), profile) == ()


def test_noise_is_told_with_its_amount(profile: Profile) -> None:
    (cause, *_) = _causes(figures_of(texture(50, noise=0.1)), profile)
    assert (cause.name, cause.action) == ("noise", "denoise")
    assert "noise 3" in cause.words or "noise 4" in cause.words


def test_blur_is_told_where_the_pixel_size_is_known(profile: Profile) -> None:
    blurred = ndimage.gaussian_filter(texture(50), 2)
    assert _causes(figures_of(blurred), profile)[0].name == "blur"


@pytest.mark.parametrize(("coarse", "words"), [(0.5, "coarser"), (2.0, "finer")])
def test_another_pixel_size_is_told_where_it_may_be_one(profile: Profile, coarse: float, words: str) -> None:
    figures = figures_of(texture(50, coarse=coarse))
    cause = next(c for c in _causes(figures, profile, sized=False) if c.name == "pixel size")
    assert words in cause.words
    assert cause.amount == pytest.approx(1 / coarse, rel=0.25)
    told = next(c for c in _causes(figures, profile, sized=True) if c.name == "pixel size")
    assert "than the file says: check its pixel size" in told.words


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_factor_of_coarser_pixels_is_told(profile: Profile, factor: int) -> None:
    cause = next(c for c in _causes(figures_of(texture(50, coarse=1 / factor)), profile, sized=False) if c.amount != 1)
    assert cause.amount == pytest.approx(factor, rel=0.2)


def test_what_the_file_lost_is_told(profile: Profile) -> None:
    grey = texture(50)
    blown = np.clip(grey * 600, 0, 255).astype(np.uint8)
    (first, *_) = _causes(figures_of(grey, blown), profile)
    assert first.name == "saturation"
    assert "saturated" in first.words
    few = (np.clip(grey, 0, 1) * 3).astype(np.uint8)
    assert "only 4 grey levels" in " ".join(c.words for c in _causes(figures_of(grey, few), profile))


def test_an_inverted_image_is_told_if_turning_it_back_helps(profile: Profile) -> None:
    grey = texture(50)
    skewed = [figures_of(g.astype(np.float32)) for g in (1 - grey, grey)]
    turned = Figures(**{**vars(skewed[0]), "features": skewed[0].features + 9})
    names = [c.name for c in _causes(turned, profile, inverted=skewed[1])]
    assert names[0] == "inverted"
    assert "inverted" not in [c.name for c in _causes(turned, profile, inverted=turned)]
    assert _causes(turned, profile, inverted=turned)[0].name == "unlike"


def test_less_contrast_is_told(profile: Profile) -> None:
    flat = (0.5 + (texture(50, noise=0.0) - 0.5) * 0.3).astype(np.float32)
    words = " ".join(c.words for c in _causes(figures_of(flat), profile))
    assert "less contrast" in words
