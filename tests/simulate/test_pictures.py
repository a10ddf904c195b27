from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.simulate import foreign_pictures
from napari_bioseg.simulate.pictures import PICTURES


def test_a_seed_gives_the_same_pictures():
    first, again, other = (foreign_pictures((3, 64, 80), seed)[0] for seed in (1, 1, 2))
    assert first.shape == (3, 64, 80)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", PICTURES)
def test_each_kind_is_a_picture_of_any_shape(name):
    drawn = [PICTURES[name](np.random.default_rng(seed), (48, 96)) for seed in range(3)]
    assert {picture.shape for picture in drawn} == {(48, 96)}
    assert all(np.isfinite(picture).all() for picture in drawn)
    assert any(np.ptp(picture) > 0 for picture in drawn)
    assert not np.array_equal(drawn[0], drawn[1])
