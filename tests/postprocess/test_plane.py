from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.postprocess import DecodeOptions, decode_plane

ONE = (ClassInfo(value=5, name="cell"),)
TWO = (ClassInfo(value=3, name="a"), ClassInfo(value=9, name="b"))


def plane(*rows: str) -> np.ndarray:
    """Probabilities of one class: '#' likely, '.' unlikely."""
    return np.array([[[0.9 if c == "#" else 0.1 for c in row] for row in rows]], np.float16)


def classes(*rows: str) -> np.ndarray:
    """Probabilities of two classes, 'a' and 'b'."""
    return np.array([[[0.9 if c == k else 0.05 for c in row] for row in rows] for k in "ab"], np.float16)


def test_pixels_get_the_value_of_their_class() -> None:
    labels = decode_plane(plane("#.", ".#"), DecodeOptions(), ONE)
    assert labels.dtype == np.uint32
    assert labels.tolist() == [[5, 0], [0, 5]]
    assert decode_plane(classes("a.", "bb"), DecodeOptions(), TWO).tolist() == [[3, 0], [9, 9]]


def test_objects_are_numbered_in_reading_order_and_corners_do_not_join() -> None:
    labels = decode_plane(plane("..##.", "##..#", "##...", "....#"), DecodeOptions(instances=True), ONE)
    assert labels.tolist() == [[0, 0, 1, 1, 0], [2, 2, 0, 0, 3], [2, 2, 0, 0, 0], [0, 0, 0, 0, 4]]


def test_touching_classes_are_different_objects() -> None:
    assert decode_plane(classes("aab", "abb"), DecodeOptions(instances=True), TWO).tolist() == [[1, 1, 2], [1, 2, 2]]


@pytest.mark.parametrize(("min_size", "left"), [(0, 3), (2, 2), (4, 1), (5, 0)])
def test_small_objects_are_dropped(min_size: int, left: int) -> None:
    p = plane("##.#", "##..", "....", "###.")
    p[0, 3, 2] = 0.1  # two pixels
    labels = decode_plane(p, DecodeOptions(instances=True, min_size=min_size), ONE)
    assert labels.max() == left
    assert len(np.unique(labels)) == left + 1
    semantic = decode_plane(p, DecodeOptions(min_size=min_size), ONE)
    assert ((semantic > 0) == (labels > 0)).all()


@pytest.mark.parametrize(("size", "filled"), [(0, 0), (1, 1), (2, 3)])
def test_enclosed_holes_are_filled(size: int, filled: int) -> None:
    p = plane("#####.", "#.#..#", "######", "#.####")
    before, after = (decode_plane(p, DecodeOptions(fill_holes=f), ONE) for f in (0, size))
    # The pixels at the border are no holes.
    assert (after > 0).sum() - (before > 0).sum() == filled
    assert after[0, 5] == 0
    assert after[3, 1] == 0


def test_a_filled_hole_takes_the_class_around_it() -> None:
    labels = decode_plane(classes("aaaab", "a...b", "aaaab"), DecodeOptions(fill_holes=3), TWO)
    assert labels[1].tolist() == [3, 3, 3, 3, 9]


def test_a_filled_hole_joins_the_objects_around_it() -> None:
    p = plane(".###.", "#...#", "#...#", ".###.")
    assert decode_plane(p, DecodeOptions(instances=True), ONE).max() == 4
    filled = decode_plane(p, DecodeOptions(instances=True, fill_holes=6, min_size=16), ONE)
    assert np.bincount(filled.ravel()).tolist() == [4, 16]


def test_a_speck_in_a_hole_goes_with_it() -> None:
    p = plane("#####", "#...#", "#.#.#", "#...#", "#####")
    assert decode_plane(p, DecodeOptions(instances=True, fill_holes=8), ONE).tolist() == np.ones((5, 5)).tolist()


@pytest.mark.parametrize("options", [{}, {"min_size": 3}, {"fill_holes": 3}, {"instances": True, "split": 0.7}])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (6, 7), (0, 4)])
def test_empty_and_full_planes(options: dict[str, float], shape: tuple[int, int]) -> None:
    nothing = decode_plane(np.zeros((1, *shape), np.float16), DecodeOptions(**options), ONE)
    everything = decode_plane(np.ones((1, *shape), np.float16), DecodeOptions(**options), ONE)
    assert not nothing.any()
    kept = np.prod(shape) >= options.get("min_size", 0)
    assert (everything == (1 if "instances" in options else 5) * kept).all()
    assert nothing.shape == everything.shape == shape


def test_numbers_are_those_of_scipy() -> None:
    smooth = ndimage.gaussian_filter(np.random.default_rng(3).standard_normal((200, 300)), 2)
    p = (smooth > 0).astype(np.float16)[None]
    assert (decode_plane(p, DecodeOptions(instances=True), ONE) == ndimage.label(smooth > 0)[0]).all()


@st.composite
def planes(draw: st.DrawFn, kinds: int) -> np.ndarray:
    """Probabilities of small patches of `kinds` classes, fewer than 16 pixels wide."""
    shape = draw(st.tuples(st.integers(1, 15), st.integers(1, 15)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    choice = rng.choice(kinds + 1, shape, p=[0.3, *[0.7 / kinds] * kinds])
    return np.stack([choice == k + 1 for k in range(kinds)]).astype(np.float16)


@settings(max_examples=100, deadline=None)
@given(p=planes(1), fill=st.integers(0, 12), least=st.integers(0, 12), wide=st.sampled_from([1, 20]))
def test_holes_and_sizes_are_those_of_a_plain_search(p: np.ndarray, fill: int, least: int, wide: int) -> None:
    # The wide plane has so few runs that it is labelled by them.
    mask, p, fill, least = p[0] > 0, p.repeat(wide, axis=2), fill * wide, least * wide
    mask = mask.repeat(wide, axis=1)
    border = np.zeros(mask.shape, bool)
    border[[0, -1]] |= mask.shape[0] > 1
    border[:, [0, -1]] |= mask.shape[1] > 1
    empty, n = ndimage.label(~mask)
    for i in range(1, n + 1):
        hole = empty == i
        # In a picture of nothing else, there is no class for it to take.
        mask |= hole & (hole.sum() <= fill) & ~(hole & border).any() & (hole.size > hole.sum())
    expected, n = ndimage.label(mask)
    kept = [i for i in range(1, n + 1) if (expected == i).sum() >= least]
    options = DecodeOptions(instances=True, fill_holes=fill, min_size=least)
    assert (decode_plane(p, options, ONE) == sum((expected == k) * (i + 1) for i, k in enumerate(kept))).all()


@settings(max_examples=100, deadline=None)
@given(p=planes(2), fill=st.integers(0, 12), least=st.integers(0, 12), instances=st.booleans())
def test_a_larger_picture_of_the_same_has_the_same_labels(
    p: np.ndarray, fill: int, least: int, instances: bool
) -> None:
    small = decode_plane(p, DecodeOptions(instances=instances, fill_holes=fill, min_size=least), TWO)
    options = DecodeOptions(instances=instances, fill_holes=400 * fill, min_size=400 * least)
    large = decode_plane(p.repeat(20, axis=1).repeat(20, axis=2), options, TWO)
    if 1 not in small.shape:  # the border of a line lies elsewhere than that of a band
        assert (large == small.repeat(20, axis=0).repeat(20, axis=1)).all()


def test_softmax_leaves_out_the_background() -> None:
    p = np.array([[[0.5, 0.2]], [[0.3, 0.1]], [[0.2, 0.7]]], np.float16)
    assert decode_plane(p, DecodeOptions(threshold=0.25), TWO, "softmax").tolist() == [[3, 9]]
