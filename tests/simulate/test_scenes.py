from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.simulate import foreign_scenes
from napari_bioseg.simulate.scenes import SCENES


def test_a_seed_gives_the_same_scenes_in_which_nothing_is_labelled():
    (first, truth), (again, _), (other, _) = (foreign_scenes((3, 64, 80), seed) for seed in (1, 1, 2))
    assert first.shape == truth.shape == (3, 64, 80)
    assert not truth.any()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", SCENES)
def test_each_kind_is_a_picture_of_any_shape(name):
    drawn = [SCENES[name](np.random.default_rng(seed), (48, 96)) for seed in range(3)]
    assert {picture.shape for picture in drawn} == {(48, 96)}
    assert all(np.isfinite(picture).all() and np.ptp(picture) > 0 for picture in drawn)
    assert not np.array_equal(drawn[0], drawn[1])


def test_a_body_may_lie_outside_of_the_picture():
    drawn = SCENES["discs"](np.random.default_rng(50), (24, 400))  # a spot in a disc at the border
    assert np.isfinite(drawn).all()
