"""Changes of the training images that explain a spectrum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from tests.drift.conftest import figures_of, of_file, texture

from napari_bioseg.drift import Known, Profile, make_profile
from napari_bioseg.drift.texture import explanations


@pytest.fixture(scope="module")
def stack() -> Profile:
    """Of one stack, whose bands are taken to vary on their own."""
    return make_profile([Known("stack", figures_of(texture(i))) for i in range(16)])


@pytest.mark.parametrize("sigma", [1, 2, 3])
def test_a_blur_is_found_though_the_finest_bands_hold_only_rounding(stack: Profile, sigma: int) -> None:
    found = explanations(of_file(ndimage.gaussian_filter(texture(50), sigma)), stack)
    assert min(found, key=lambda kind: found[kind].distance) == "blur"
    assert found["blur"].amount == pytest.approx(sigma, abs=0.21)


def test_finer_pixels_are_found_though_something_varies_over_the_whole_window(stack: Profile) -> None:
    slope = np.linspace(-0.5, 0.5, 128, dtype=np.float32)
    found = explanations(figures_of(texture(50, coarse=2.0) + slope), stack)
    assert min(found, key=lambda kind: found[kind].distance) == "pixel size"
    assert found["pixel size"].amount == pytest.approx(0.5, rel=0.15)
