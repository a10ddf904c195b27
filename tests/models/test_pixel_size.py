"""How the pixels of an image stand to those of a model."""

from __future__ import annotations

import math

import pytest

from napari_bioseg.models.card import InputSpec
from napari_bioseg.models.pixel_size import pixel_distance


@pytest.mark.parametrize(
    ("size", "distance"),
    [
        ({"Y": 0.5, "X": 0.5}, 0),
        ({"Z": 9.0, "Y": 1.0, "X": 0.5}, 1),
        ({"Y": 0.5, "X": 0.125}, 2),
        ({"Y": None, "X": None}, math.inf),
        ({"Y": 5.0, "X": 5.0}, math.inf),
    ],
)
def test_distance_is_counted_in_factors_of_two(size: dict[str, float | None], distance: float) -> None:
    assert pixel_distance(InputSpec(axes="YX", pixel_size={"Y": 0.5, "X": 0.5}), size) == pytest.approx(distance)


def test_a_model_for_any_size_is_near_to_none() -> None:
    assert pixel_distance(InputSpec(axes="YX"), {"Y": 0.5, "X": 0.5}) == math.inf
