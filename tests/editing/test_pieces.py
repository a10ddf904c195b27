from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from skimage.measure import label as numbered

from napari_bioseg.core.errors import EditError


def noise(seed, shape):
    return np.random.default_rng(seed).choice([0, 0, 0, 5, 70_000], shape).astype(np.uint32)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(20, 24), (9, 8, 10)]), st.sampled_from([10, 200, 10**6]))
def test_small_pieces_go_whatever_the_slabs(use, small_blocks, stored, seed, shape, slab):
    labels, least = noise(seed, shape), 1 + seed % 12
    pieces = numbered(labels, background=0, connectivity=len(shape))
    expected = np.where(np.bincount(pieces.ravel())[pieces] < least, 0, labels)
    with small_blocks(slab):
        for array in (labels, stored(labels, (2,) * len(shape))):
            assert np.array_equal(use("remove_small", array, (0,) * len(shape), min_size=least), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(20, 24), (9, 8, 10)]), st.sampled_from([10, 200, 10**6]))
def test_the_largest_piece_stays_whatever_the_slabs(use, small_blocks, seed, shape, slab):
    labels = noise(seed, shape)
    pieces = numbered(labels == 70_000, connectivity=len(shape))
    sizes = np.bincount(pieces.ravel())[1:]
    assume(len(sizes) > 1)
    gone = (pieces > 0) & (pieces != sizes.argmax() + 1)
    point = tuple(int(i) for i in np.argwhere(labels == 70_000)[0])
    with small_blocks(slab):
        assert np.array_equal(use("keep_largest", labels, point), np.where(gone, 0, labels))


def test_a_click_on_a_small_piece_keeps_the_large_one(use):
    labels = np.zeros((10, 20), np.uint32)
    labels[2:4, 2:4], labels[2:9, 8:14], labels[0:2, 17:] = 3, 3, 4
    after = use("keep_largest", labels, (2, 2))
    labels[2:4, 2:4] = 0
    assert np.array_equal(after, labels)


def test_one_piece_is_refused(use):
    with pytest.raises(EditError, match="Keep largest: label 1 has one piece"):
        use("keep_largest", np.ones((4, 4), np.uint32), (0, 0))


def test_nothing_small_is_nothing_to_change(use):
    labels = np.ones((9, 9), np.uint32)
    assert np.array_equal(use("remove_small", labels, (0, 0), min_size=81), labels)


def test_a_plane_counts_by_itself(use):
    labels = np.ones((3, 4, 4), np.uint32)
    after = use("remove_small", labels, (1, 0, 0), min_size=17, scope=(slice(1, 2), slice(0, 4), slice(0, 4)))
    assert after.any(axis=(1, 2)).tolist() == [True, False, True]
