"""How the pixels of an image stand to those of a model."""

from __future__ import annotations

import math

import pytest

from napari_bioseg.models.card import InputSpec
from napari_bioseg.models.pixel_size import model_pixels, pixel_distance


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


@pytest.mark.parametrize(
    ("size", "factor"),
    [(0.25, 2.0), (0.485, 0.5 / 0.485), (0.5, 1.0), (1.1, 1.0), (2.0, 1.0), (2.02, 1.0), (4.0, 0.5), (16.0, 0.125)],
)
def test_between_finest_and_coarsest_an_image_is_taken_as_it_is(size: float, factor: float) -> None:
    spec = InputSpec(axes="ZYX", pixel_size={"Z": 3.0, "Y": 0.5, "X": 0.5}, coarsest={"Y": 2.0})
    (z, y, x), why_not = model_pixels(spec, {"Z": 6.0, "Y": size, "X": 0.5})
    assert (z, y, x, why_not) == (0.5, pytest.approx(factor), 1.0, None)


def test_the_coarsest_has_a_finest_beside_it() -> None:
    for sizes in ({}, {"Y": 3.0}):
        with pytest.raises(ValueError, match="coarsest along Y"):
            InputSpec(axes="YX", pixel_size=sizes, coarsest={"Y": 2.0})


def test_sizes_are_told_as_ranges() -> None:
    spec = InputSpec(axes="ZYX", pixel_size={"Z": 5.0, "Y": 1.0, "X": 1.0}, coarsest={"Y": 2.5, "X": 2.5})
    assert spec.sizes("ZYX") == "5 x 1-2.5 x 1-2.5"


def test_a_model_for_any_size_is_near_to_none() -> None:
    assert pixel_distance(InputSpec(axes="YX"), {"Y": 0.5, "X": 0.5}) == math.inf
