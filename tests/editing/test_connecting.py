from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_bioseg.core.errors import EditError
from napari_bioseg.editing import connecting

BIG = 70_000


def tube(shape, radii, gap, spacing=None):
    """A tube along X whose radius goes evenly from one value to another, with a gap."""
    spacing = spacing or (1.0,) * len(shape)
    axes = np.indices(shape)
    middle = [n // 2 for n in shape[:-1]]
    away = np.sqrt(sum(((a - m) * s) ** 2 for a, m, s in zip(axes, middle, spacing, strict=False)))
    whole = away < np.interp(axes[-1], [0, shape[-1] - 1], radii)
    labels = (whole * BIG).astype(np.uint32)
    labels[..., gap] = 0
    return labels, whole, middle


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((31, 90), None), ((25, 25, 70), None), ((9, 25, 70), (3.0, 1.0, 1.0)), ((31, 90), (0.2, 0.2))],
)
@pytest.mark.parametrize("off", [0, 3])
def test_a_gap_in_a_tube_is_closed_with_its_radius(use, shape, spacing, off):
    step = min(spacing or (1,))
    labels, whole, middle = tube(shape, (5 * step, 5 * step), slice(30, 45), spacing)
    first, second = (*middle[:-1], middle[-1] + off, 26), (*middle[:-1], middle[-1] - off, 50)
    after = use("connect", labels, first, second, spacing=spacing)
    assert ndimage.label(after > 0, np.ones((3,) * len(shape)))[1] == 1
    missed = (after > 0) != whole
    assert missed.sum() <= 0.1 * whole[..., 30:45].sum()
    assert set(np.unique(after)) == {0, BIG}


def test_the_radius_goes_evenly_from_one_end_to_the_other(use):
    labels, whole, _ = tube((41, 120), (4, 14), slice(40, 80))
    after = use("connect", labels, (20, 36), (20, 84))
    width, true = ((a[:, 40:80] > 0).sum(axis=0) for a in (after, whole))
    assert (abs(width - true.astype(int)) <= 2).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_path_follows_the_probability(use, ndim):
    # A vessel that goes along a half circle, and is missing in its top half.
    y, x = np.ogrid[:80, :120]
    arc = abs(np.hypot(y - 70, x - 60) - 45) < 3.5
    arc = arc & (y < 70)
    probability = np.where(arc, 0.6, 0.02).astype(np.float16)
    labels = (arc & (y >= 50)).astype(np.uint32)
    lead = (2,) * (ndim - 2)
    if ndim == 3:
        stack = np.zeros((5, 80, 120))
        stack[2], volume = probability, np.zeros((5, 80, 120), np.uint32)
        volume[1:4] = labels
        probability, labels = stack.astype(np.float16), volume
    after = use("connect", labels, (*lead, 60, 16), (*lead, 60, 104), probability=probability)
    drawn = (after > 0) & (labels == 0)
    near = ndimage.binary_dilation(arc, iterations=2)
    assert (drawn <= near).all()
    assert ndimage.label(after > 0, np.ones((3,) * ndim))[1] == 1
    straight = use("connect", labels, (*lead, 60, 16), (*lead, 60, 104))
    assert straight[(*lead, 60, 60)] == 1


def test_without_probability_the_gap_is_closed_straight(use, ball):
    labels = np.zeros((60, 90), np.uint32)
    for end in ((10, 10), (40, 75)):
        labels[ball(labels.shape, end, 4)] = 1
    drawn = np.argwhere((use("connect", labels, (10, 10), (40, 75)) > 0) & (labels == 0)) - (10, 10)
    along = np.array([30, 65]) / np.hypot(30, 65)
    assert abs(drawn[:, 0] * along[1] - drawn[:, 1] * along[0]).max() < 5


def test_other_objects_are_gone_around_and_stay(use):
    labels, _, _ = tube((61, 90), (3, 3), slice(30, 60))
    labels[20:42, 44:46] = 7
    after = use("connect", labels, (30, 26), (30, 64))
    assert np.array_equal(after == 7, labels == 7)
    assert ndimage.label(after == BIG, np.ones((3, 3)))[1] == 1


def test_the_second_vessel_keeps_its_label(use):
    labels, _, _ = tube((21, 60), (3, 3), slice(20, 30))
    labels[:, 30:][labels[:, 30:] > 0] = 5
    after = use("connect", labels, (10, 18), (10, 34))
    assert np.array_equal(after == 5, labels == 5)
    assert (after[10, 20:30] == BIG).all()


def test_a_wall_cannot_be_crossed(use):
    labels, _, _ = tube((21, 60), (3, 3), slice(20, 40))
    labels[:, 30] = 7
    with pytest.raises(EditError, match="Connect: other objects are in every way"):
        use("connect", labels, (10, 18), (10, 44))


@pytest.mark.parametrize(
    ("second", "line"),
    [
        ((0, 50), "Connect: a click is on the background"),
        ((10, 5), "Connect: both clicks are on one piece"),
    ],
)
def test_clicks_that_make_no_sense_are_refused(use, second, line):
    labels, _, _ = tube((21, 60), (3, 3), slice(20, 40))
    with pytest.raises(EditError, match=line):
        use("connect", labels, (10, 15), second)


def test_inside_something_thick_there_is_no_vessel(use):
    with pytest.raises(EditError, match="Connect: label 1 is no vessel where the click is"):
        use("connect", np.ones((30, 30), np.uint32), (10, 15), (20, 20))


def test_clicks_too_far_apart_are_refused(use, monkeypatch):
    monkeypatch.setattr(connecting, "_LARGEST", 1000)
    labels, _, _ = tube((21, 60), (3, 3), slice(20, 40))
    with pytest.raises(EditError, match="Connect: the clicks are too far apart"):
        use("connect", labels, (10, 15), (10, 45))
