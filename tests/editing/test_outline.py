from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_bioseg.core.errors import EditError

THICK = (5.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((41, 43), (1.0, 1.0)), ((41, 43), (0.3, 0.3)), ((25, 33, 35), (1.0, 1.0, 1.0)), ((9, 41, 43), THICK)],
)
def test_a_ball_grows_and_shrinks_by_the_radius(use, ball, shape, spacing):
    centre = tuple(n // 2 for n in shape)
    step = min(spacing)
    labels = ball(shape, centre, 8 * step, spacing) * np.uint32(70_000)
    wide, narrow = (use(tool, labels, centre, radius=3, spacing=spacing) > 0 for tool in ("grow", "shrink"))
    # A centre of a pixel is at most one step away from the true edge.
    assert (ball(shape, centre, 10 * step, spacing) <= wide).all()
    assert (wide <= ball(shape, centre, 11.01 * step, spacing)).all()
    assert (ball(shape, centre, 4 * step, spacing) <= narrow).all()
    assert (narrow <= ball(shape, centre, 6 * step, spacing)).all()


def test_a_radius_in_thick_sections_does_not_reach_the_next(use):
    labels = np.zeros((3, 9, 9), np.uint32)
    labels[1, 4, 4] = 1
    assert not use("grow", labels, (1, 4, 4), radius=4, spacing=THICK)[[0, 2]].any()
    assert use("grow", labels, (1, 4, 4), radius=5, spacing=THICK)[[0, 2], 4, 4].all()


@pytest.mark.parametrize("spacing", [(0.3, 0.1), (2.1, 0.7)])
def test_a_pixel_at_the_radius_itself_is_reached(use, spacing):
    labels = np.zeros((5, 9), np.uint32)
    labels[2, 4] = 1
    assert np.argwhere(use("grow", labels, (2, 4), radius=3, spacing=spacing)[:, 4])[:, 0].tolist() == [1, 2, 3]


def test_growing_stops_at_other_objects(use):
    labels = np.zeros((9, 20), np.uint32)
    labels[:, 5:8], labels[:, 10:12] = 1, 2
    after = use("grow", labels, (4, 6), radius=4)
    assert (after[4] == [0] + [1] * 9 + [2] * 2 + [0] * 8).all()


def test_the_border_of_the_scope_is_no_edge(use):
    labels = np.ones((9, 20), np.uint32)
    labels[:, 15:] = 0
    expected = labels.copy()
    expected[:, 13:] = 0
    assert np.array_equal(use("shrink", labels, (4, 4), radius=2), expected)
    assert use("shrink", np.ones((9, 20), np.uint32), (4, 4)).all()


@pytest.mark.parametrize("tool", ["shrink", "smooth"])
def test_what_would_vanish_is_refused(use, tool):
    labels = np.zeros((9, 9), np.uint32)
    labels[4, 4] = 5
    with pytest.raises(EditError, match="nothing would be left of the object with label 5"):
        use(tool, labels, (4, 4), radius=2)


def test_holes_are_filled_and_what_lies_in_them_stays(use, ball):
    labels = ball((41, 41), (20, 20), 18).astype(np.uint32)
    filled = labels.copy()
    labels[10:15, 10:15] = 0
    labels[25:30, 25:30] = 0
    labels[27, 27] = filled[27, 27] = 70_000
    assert np.array_equal(use("fill_holes", labels, (20, 20)), filled)


def test_a_bay_and_what_the_border_opens_is_no_hole(use):
    labels = np.ones((12, 12), np.uint32)
    labels[0:3, 4:6] = 0
    assert np.array_equal(use("fill_holes", labels, (6, 6)), labels)


def test_corners_do_not_open_a_hole(use):
    ring = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint32)
    assert use("fill_holes", ring, (0, 1))[1, 1] == 1


def test_a_tunnel_is_a_hole_in_planes_only(use):
    labels = np.ones((5, 9, 9), np.uint32)
    labels[:, 4, 4] = 0
    labels[2, 2, 2] = 0
    after = use("fill_holes", labels, (0, 0, 0))
    assert (after[2, 2, 2], after[:, 4, 4].any()) == (1, False)
    plane = use("fill_holes", labels, (3, 0, 0), scope=(slice(3, 4), slice(0, 9), slice(0, 9)))
    assert plane[:, 4, 4].tolist() == [0, 0, 0, 1, 0]


@pytest.mark.parametrize("ndim", [2, 3])
def test_smoothing_keeps_a_ball_and_takes_hairs_and_dents(use, ball, ndim):
    shape, centre = (41,) * ndim, (20,) * ndim
    clean = ball(shape, centre, 14)
    labels = clean.astype(np.uint32)
    labels[(20,) * (ndim - 1) + (slice(30, 41),)] = 1
    labels[(20,) * (ndim - 1) + (slice(0, 12),)] = 0
    after = use("smooth", labels, centre, radius=4) > 0
    assert np.count_nonzero(after != clean) <= 0.06 * np.count_nonzero(clean)
    assert not after[(20,) * (ndim - 1) + (slice(36, 41),)].any()
    assert after[(20,) * (ndim - 1) + (slice(9, 12),)].all()


def test_smoothing_leaves_neighbours_alone(use, ball):
    labels = ball((41, 41), (20, 20), 14).astype(np.uint32)
    labels[20, 0:12] = 2
    after = use("smooth", labels, (22, 22), radius=4)
    assert np.array_equal(after == 2, labels == 2)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(30, 34), (12, 16, 14)]), st.sampled_from(["grow", "shrink", "smooth"]))
def test_windows_make_no_difference(use, small_blocks, seed, shape, tool):
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    labels = (smooth > 0).astype(np.uint32)
    point = tuple(int(i) for i in np.unravel_index(smooth.argmax(), shape))
    told = {"radius": 2, "pieces": False, "spacing": (2.0, 1.0, 1.0)[-len(shape) :]}
    try:
        whole = use(tool, labels, point, **told)
    except EditError:
        with small_blocks(100), pytest.raises(EditError, match="nothing would be left"):
            use(tool, labels, point, **told)
        return
    with small_blocks(100):
        assert np.array_equal(use(tool, labels, point, **told), whole)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from([(1.0, 1.0), (0.7, 0.2), (2.5, 1.0, 1.3)]))
def test_growing_is_by_the_euclidean_distance(use, seed, radius, spacing):
    labels = (np.random.default_rng(seed).random((14, 16, 18)[-len(spacing) :]) < 0.01).astype(np.uint32)
    labels[(3,) * len(spacing)] = 1
    distance = ndimage.distance_transform_edt(labels == 0, spacing)
    after = use("grow", labels, (3,) * len(spacing), radius=radius, pieces=False, spacing=spacing)
    unsure = abs(distance - radius * min(spacing)) < 1e-4
    assert np.array_equal((after > 0)[~unsure], (distance < radius * min(spacing))[~unsure])
