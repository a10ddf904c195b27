from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.corrections.contents import Contents
from napari_bioseg.corrections.records import Undo, Verify
from napari_bioseg.corrections.verified import Verified

SHAPES = [(5, 6), (3, 5, 6), (2, 2, 4, 5)]


@st.composite
def marks(draw):
    shape = draw(st.sampled_from(SHAPES))

    def side(n):
        ends = sorted((draw(st.integers(-1, n + 1)), draw(st.integers(-1, n + 1))))
        return draw(st.sampled_from([slice(*ends), slice(0, n)]))

    return shape, [(tuple(side(n) for n in shape), draw(st.booleans())) for _ in range(draw(st.integers(0, 8)))]


@given(marks())
def test_it_is_what_a_dense_array_would_be(case):
    shape, boxes = case
    dense, verified = np.zeros(shape, bool), Verified(shape)
    for box, on in boxes:
        inside = tuple(slice(max(s.start, 0), max(s.stop, 0)) for s in box)
        dense[inside] = on
        verified.mark(box, on)
        assert np.array_equal(verified.mask(box), dense[inside])
    assert np.array_equal(verified.mask(tuple(slice(0, n) for n in shape)), dense)
    assert verified.pixels() == dense.sum()
    states = {}
    for plane in np.ndindex(shape[:-2]):
        count = dense[plane].sum()
        state = "none" if not count else "all" if count == dense[plane].size else "part"
        assert verified.state(plane) == state
        if count:
            states[plane] = state
    assert verified.planes() == states


def test_whole_planes_of_any_size_take_no_pixels():
    verified = Verified((3, 2**20, 2**20))
    verified.mark((slice(0, 3), slice(0, 2**20), slice(0, 2**20)), True)
    verified.mark((slice(1, 2), slice(5, 6), slice(7, 9)), False)
    assert verified.pixels() == 3 * 2**40 - 2
    assert verified.planes() == {(0,): "all", (1,): "part", (2,): "all"}


def test_marking_the_same_again_keeps_nothing_more():
    verified = Verified((10, 10))
    for _ in range(100):
        verified.mark((slice(2, 5), slice(2, 5)), True)
    assert verified._planes == {(): [(2, 5, 2, 5)]}


def test_it_comes_from_a_journal_in_order():
    box = (slice(0, 1), slice(0, 4), slice(0, 4))
    records = [Verify(box, True), Undo(1), Verify((slice(0, 1), slice(0, 1), slice(0, 4)), False)]
    assert Verified.of(Contents({}, records), (2, 4, 4)).pixels() == 12


def test_another_number_of_axes_is_no_box_of_it():
    with pytest.raises(ValueError, match="zip"):
        Verified((3, 4, 5)).mark((slice(0, 1), slice(0, 1)), True)
