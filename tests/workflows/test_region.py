"""Regions as text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.core import RecipeError, image_from_array
from napari_bioseg.workflows.region import crop, format_region, parse_region


def test_axes_not_named_are_whole() -> None:
    assert parse_region("z=3,X=2:5", "ZYX", (8, 9, 10)) == (slice(3, 4), slice(0, 9), slice(2, 5))


def test_no_text_is_the_whole_image() -> None:
    assert parse_region(None, "YX", (4, 4)) is None
    assert parse_region("", "YX", (4, 4)) is None


def test_ends_are_cut_to_the_image() -> None:
    assert parse_region("Y=-5:99,X=3:", "YX", (8, 9)) == (slice(0, 8), slice(3, 9))


@pytest.mark.parametrize(
    ("text", "said"),
    [("Z=1", "no axis"), ("Y=a:b", "no range"), ("Y=9:3", "no pixel"), ("Y=50", "no pixel"), ("=3", "no axis")],
)
def test_wrong_text_is_named(text: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        parse_region(text, "YX", (10, 10))


@given(
    st.lists(
        st.integers(1, 20).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1), st.integers(1, n))),
        min_size=3,
        max_size=3,
    )
)
def test_a_box_survives_being_written(spans: list[tuple[int, int, int]]) -> None:
    shape = tuple(n for n, _, _ in spans)
    box = tuple(slice(start, max(stop, start + 1)) for _, start, stop in spans)
    text = format_region(box, "ZYX", shape)
    whole = tuple(slice(0, n) for n in shape)
    assert (parse_region(text, "ZYX", shape) or whole) == box


def test_a_crop_lies_where_it_was_cut() -> None:
    data = np.arange(2 * 6 * 8).reshape(2, 6, 8)
    image = image_from_array(data, "CYX", pixel_size={"Y": 0.5, "X": 0.25})
    part = crop(image, (slice(2, 5), slice(4, 8)))
    assert np.array_equal(part.data, data[:, 2:5, 4:8])
    assert part.translate == (0.0, 1.0, 1.0)
    assert part.axes == "CYX"
