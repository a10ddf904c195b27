from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.core.errors import EditError

BIG = 70_000


def pair(ball, shape, gap, radii, spacing=None):
    """Two balls in a row along X that overlap, and a third object with the highest label."""
    middle = tuple(n // 2 for n in shape[:-1])
    step = (spacing or (1,) * len(shape))[-1]
    labels = np.zeros(shape, np.uint32)
    for x, radius in zip((25, 25 + gap), radii, strict=True):
        labels[ball(shape, (*middle, x), radius * step, spacing)] = 4
    labels[..., 0, 0] = BIG
    return labels, middle


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((41, 80), None), ((41, 80), (0.2, 0.2)), ((33, 37, 80), None), ((11, 37, 80), (4.0, 1.0, 1.0))],
)
@pytest.mark.parametrize("seeds", [(25, 49), (14, 60), (14, 49), (36, 45), (49, 25)], ids=str)
def test_two_balls_are_cut_at_their_waist_wherever_the_seeds_are(use, ball, shape, spacing, seeds):
    # Radius 14, centres 24 apart: the waist is at 37.
    labels, middle = pair(ball, shape, 24, (14, 14), spacing)
    first, second = ((*middle, x) for x in seeds)
    after = use("split", labels, first, second, spacing=spacing)
    assert (after[first], after[second]) == (4, BIG + 1)
    assert np.array_equal(after > 0, labels > 0)
    x = np.arange(80)
    left, right = (x < 35, x > 39) if seeds[0] < seeds[1] else (x > 39, x < 35)
    assert (after[labels == 4].max(), (after == BIG).sum()) == (BIG + 1, (labels == BIG).sum())
    assert not (after[..., left] == BIG + 1).any()
    assert not (after[..., right] == 4).any()


def test_a_small_ball_is_cut_off_a_large_one(use, ball):
    labels, middle = pair(ball, (51, 80), 26, (20, 9))
    after = use("split", labels, (*middle, 20), (*middle, 53))
    # The circles meet where x = 25 + (26² + 20² - 9²) / (2 * 26) = 44.1.
    cut = np.flatnonzero((after == BIG + 1).any(axis=0))[0]
    assert abs(cut - 44) <= 3


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_ball_without_a_waist_is_halved_between_the_seeds(use, ball, ndim):
    shape, centre = (41,) * ndim, (20,) * (ndim - 1)
    labels = ball(shape, (*centre, 20), 15).astype(np.uint32)
    after = use("split", labels, (*centre, 10), (*centre, 30))
    assert (after[..., :19][labels[..., :19] > 0] == 1).all()
    assert (after[..., 22:][labels[..., 22:] > 0] == 2).all()


def test_each_of_many_seeds_gets_a_part(use, ball):
    labels = np.zeros((40, 130), np.uint32)
    centres = [(20, 20 + 22 * i) for i in range(5)]
    for centre in centres:
        labels[ball(labels.shape, centre, 13)] = 9
    after = use("split", labels, *centres)
    assert [after[c] for c in centres] == [9, 10, 11, 12, 13]
    assert np.ptp(np.unique(after, return_counts=True)[1][1:]) < 60


@pytest.mark.parametrize(("cut", "sign"), [("bright", 1), ("dark", -1)])
@pytest.mark.parametrize("shape", [(30, 60), (8, 30, 60)])
def test_a_line_of_the_image_cuts(use, shape, cut, sign):
    labels = np.full(shape, 3, np.uint32)
    image = np.random.default_rng(0).normal(100, 2, shape)
    image[..., 40] += 50 * sign
    lead = (4,) * (len(shape) - 2)
    after = use("split", labels, (*lead, 15, 5), (*lead, 15, 55), image=image.astype(np.float32), cut=cut)
    assert (after[..., :39] == 3).all()
    assert (after[..., 42:] == 4).all()


def test_new_labels_are_new_in_all_of_the_labels(use):
    labels = np.zeros((3, 20, 20), np.uint32)
    labels[0, :5], labels[2, 0, 0] = 1, 90_000
    plane = (slice(0, 1), slice(0, 20), slice(0, 20))
    assert use("split", labels, (0, 2, 2), (0, 2, 17), scope=plane)[0].max() == 90_001
    assert use("split", labels, (0, 2, 2), (0, 2, 17), scope=plane, highest=95_000)[0].max() == 95_001


def test_without_pieces_what_no_seed_reaches_keeps_its_label(use):
    labels = np.zeros((10, 30), np.uint32)
    labels[:, :12] = labels[:, 20:] = 2
    after = use("split", labels, (5, 2), (5, 10), pieces=False)
    assert (after[:, 20:] == 2).all()
    assert after[5, 10] == 3


@pytest.mark.parametrize(
    ("points", "told", "line"),
    [
        (((5, 5),), {}, "Split: one seed makes one object. Click once into each part"),
        (((5, 5), (5, 5)), {}, "Split: one seed makes one object"),
        (((5, 5), (0, 29)), {}, "Split: seed 2 is outside the object of the first"),
        (((5, 5), (6, 6), (5, 18)), {}, "Split: seed 3 is outside the object of the first"),
        (((0, 29), (5, 5)), {}, "Split: the click is on the background"),
        (((5, 5), (6, 6)), {"cut": "dark"}, "Split: there is no image to cut along"),
        (((5, 5), (6, 6)), {"highest": 2**32 - 1}, "Split: no label is left above 4294967295"),
    ],
)
def test_seeds_that_make_no_sense_are_refused(use, points, told, line):
    labels = np.zeros((10, 30), np.uint32)
    labels[:, :12], labels[:, 15:20] = 2, 3
    with pytest.raises(EditError) as error:
        use("split", labels, *points, **told)
    assert str(error.value).startswith(line)
