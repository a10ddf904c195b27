"""Flips and turns: exactly undone, each once, and lying where they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bioseg.core.image import image_from_array
from napari_bioseg.inference.symmetry import Symmetry, symmetries

SHAPE = (2, 3, 4, 5)
VALUES = np.arange(120).reshape(SHAPE)
IMAGE = image_from_array(VALUES, "TZYX", pixel_size={"Z": 2.0, "Y": 0.5, "X": 0.25})


@pytest.mark.parametrize(("axes", "count"), [("YX", 8), ("ZYX", 16)])
def test_every_symmetry_is_another_one_and_the_first_is_none(axes: str, count: int) -> None:
    turned = [np.asarray(s.apply(IMAGE).data) for s in symmetries(axes)]
    assert (turned[0] == VALUES).all()
    assert len({(t.shape, t.tobytes()) for t in turned}) == count
    # Time is never turned, nor Z where the model does not see it.
    fixed = 2 if axes == "YX" else 1
    assert {_contents(t, fixed) for t in turned} == {_contents(VALUES, fixed)}


def _contents(values: np.ndarray, axes: int) -> tuple[tuple[int, ...], ...]:
    """What is at each index along the first axes, in any order."""
    return tuple(tuple(sorted(part)) for part in values.reshape(*SHAPE[:axes], -1).reshape(np.prod(SHAPE[:axes]), -1))


def test_the_first_eight_of_a_volume_hold_every_turn_once_half_of_them_flipped() -> None:
    first = symmetries("ZYX")[:8]
    assert {(s.flips.replace("Z", ""), s.transposed) for s in first} == {
        (s.flips, s.transposed) for s in symmetries("YX")
    }
    assert sum("Z" in s.flips for s in first) == 4


@pytest.mark.parametrize("symmetry", symmetries("ZYX"))
def test_a_turn_is_undone_and_pixel_sizes_go_with_their_axes(symmetry: Symmetry) -> None:
    turned = symmetry.apply(IMAGE)
    assert (symmetry.undo(np.asarray(turned.data), "TZYX") == VALUES).all()
    assert turned.axes == "TZYX"
    assert turned.scale == ((1.0, 2.0, 0.25, 0.5) if symmetry.transposed else IMAGE.scale)


@settings(deadline=None)
@given(data=st.data(), number=st.integers(0, 15))
def test_a_box_is_found_again_in_the_turned_array(data: st.DataObject, number: int) -> None:
    symmetry = symmetries("ZYX")[number]
    starts = [data.draw(st.integers(0, n - 1)) for n in SHAPE]
    box = tuple(slice(s, data.draw(st.integers(s + 1, n))) for s, n in zip(starts, SHAPE, strict=True))
    part = np.asarray(symmetry.apply(IMAGE).data)[symmetry.place(box, "TZYX", SHAPE)]
    assert (symmetry.undo(part, "TZYX") == VALUES[box]).all()
