"""Causes that are told of images that were changed on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from tests.drift.conftest import figures_of, of_file, texture

from napari_bioseg.drift import (
    OUTPUT,
    Cause,
    Figures,
    Profile,
    Tried,
    distances,
    find_causes,
    ratios,
    sizes_worth_trying,
)
from napari_bioseg.drift.causes import right_when_inverted
from napari_bioseg.drift.change import unusual


def _causes(
    figures: Figures,
    profile: Profile,
    *,
    sized: bool = True,
    inverted: Figures | None = None,
    resized: dict[float, Figures] | None = None,
    scattered: bool = False,
) -> tuple[Cause, ...]:
    over = _over(figures, profile)
    sizes = {size: unusual(_over(seen, profile)) for size, seen in (resized or {}).items()}
    tried = Tried(_over(inverted, profile) if inverted else over, sizes, scattered)
    return find_causes(figures, profile, over, tried=tried, sized=sized, title="Blobs")


def _over(figures: Figures, profile: Profile) -> dict[str, float]:
    return ratios(distances(figures, profile), profile)


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


def test_an_inverted_image_may_be_unlike_otherwise_if_the_network_knows_it_much_better(profile: Profile) -> None:
    over = _over(figures_of(texture(50)), profile)

    def told(then: float, features: float) -> bool:
        return right_when_inverted({**over, "kl": 5.0, "features": 3.0}, {**over, "kl": then, "features": features})

    assert told(1.5, 1.4)
    assert not told(1.5, 1.6)  # nor does the network know it
    assert not told(2.1, 1.4)  # nor is it like the training in other ways
    assert told(0.9, 0.95)


def test_less_contrast_is_told(profile: Profile) -> None:
    flat = (0.5 + (texture(50, noise=0.0) - 0.5) * 0.3).astype(np.float32)
    words = " ".join(c.words for c in _causes(figures_of(flat), profile))
    assert "less contrast" in words


def test_pixels_are_the_cause_if_the_network_knows_what_it_sees_at_their_size(profile: Profile) -> None:
    seen, usual = figures_of(texture(50, coarse=2.0)), figures_of(texture(51))
    odd = Figures(**{**vars(seen), "features": seen.features + 3})
    (cause, *_) = _causes(odd, profile, resized={0.4: odd, 0.5: usual})
    assert (cause.name, cause.amount, cause.action) == ("pixel size", 0.5, "resample")
    assert "pixel size" not in [c.name for c in _causes(odd, profile, sized=False, resized={0.5: odd})]


def test_sizes_are_not_tried_where_a_blur_explains_the_spectrum_better(profile: Profile) -> None:
    seen = of_file(ndimage.gaussian_filter(texture(50), 3))
    assert sizes_worth_trying(seen, profile, _over(seen, profile)) == ()
    assert _causes(seen, profile)[0].name == "blur"


def test_noise_comes_before_the_saturation_that_it_makes(profile: Profile) -> None:
    noisy = texture(50, noise=0.3)
    figures = figures_of(noisy, np.clip(255 * noisy, 0, 255).astype(np.uint8))
    assert _causes(figures, profile, scattered=True)[0].name == "noise"
    assert _causes(figures, profile, scattered=False)[0].name == "saturation"


def test_another_gamma_comes_before_the_few_pixels_that_it_saturates(profile: Profile) -> None:
    dark = np.clip(texture(50), 0, 1) ** 2.5
    names = [c.name for c in _causes(figures_of(dark, (255 * dark).astype(np.uint8)), profile)]
    assert names.index("grey values") < names.index("saturation")


def test_few_grey_levels_of_an_overexposed_image_are_told_as_saturation(profile: Profile) -> None:
    grey = texture(50)
    blown = np.clip(-400 + 500 * grey, 0, 30).astype(np.uint8)
    names = [c.name for c in _causes(figures_of(grey, blown), profile)]
    assert names[0] == "saturation"
    assert "levels" not in names


@pytest.mark.parametrize(("sigma", "first"), [(2, "blur"), (0, "levels")])
def test_a_faint_image_that_is_blurred_has_few_grey_levels_but_blur_as_its_cause(
    profile: Profile, sigma: float, first: str
) -> None:
    grey = ndimage.gaussian_filter(texture(50), sigma)
    file = (np.clip(100 + 30 * grey, 0, 255) if sigma else 15 * np.clip(grey, 0, 1)).astype(np.uint8)
    causes = _causes(figures_of(grey, file), profile)
    assert causes[0].name == first
    assert "levels" in [c.name for c in causes]


def test_an_image_without_the_noise_of_the_training_was_smoothed(profile: Profile) -> None:
    seen = figures_of(texture(50))
    smooth = Figures(**{**vars(seen), "noise": seen.noise - 2})
    assert _causes(smooth, profile)[0].name == "blur"


def test_sizes_are_tried_only_where_the_network_tells_of_them(profile: Profile) -> None:
    coarse = figures_of(texture(50, coarse=0.5))
    over = _over(coarse, profile)
    sizes = sizes_worth_trying(coarse, profile, over)
    assert any(size == pytest.approx(2, rel=0.25) for size in sizes)
    assert sizes_worth_trying(coarse, profile, {k: v for k, v in over.items() if k not in OUTPUT}) == ()
    assert sizes_worth_trying(coarse, profile, dict.fromkeys(over, 0.5) | {"kl": 9.0}) == ()
