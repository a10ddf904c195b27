from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.core.errors import EditError

BIG = 70_000


@pytest.mark.parametrize("step", [1.0, 8.0])
@pytest.mark.parametrize("small", [False, True])
def test_a_cone_is_drawn_between_two_discs(use, ball, small_blocks, stored, step, small):
    labels = np.zeros((11, 61, 61), np.uint32)
    for z, radius in ((1, 10), (9, 26)):
        labels[z][ball((61, 61), (30, 30), radius)] = BIG
    with small_blocks(200 if small else 2**18):
        array = stored(labels, (3, 16, 16)) if small else labels
        after = use("interpolate", array, (4, 0, 0), label=BIG, spacing=(step, 1.0, 1.0))
    for z in range(2, 9):
        radius = 10 + 2 * (z - 1)
        assert (ball((61, 61), (30, 30), radius - 1) <= (after[z] == BIG)).all()
        assert ((after[z] == BIG) <= ball((61, 61), (30, 30), radius + 1)).all()
    assert np.array_equal(after[[0, 1, 9, 10]], labels[[0, 1, 9, 10]])


def test_the_nearest_planes_count_and_other_objects_stay(use):
    labels = np.zeros((9, 12, 12), np.uint32)
    labels[[0, 3, 6, 8], 2:9, 2:9] = 1
    labels[4, 5, 5], labels[4, 0, 0] = 2, 1
    labels[4, 0, 0] = 0
    after = use("interpolate", labels, (5, 0, 0))
    expected = labels.copy()
    expected[4:6, 2:9, 2:9] = 1
    expected[4, 5, 5] = 2
    assert np.array_equal(after, expected)


def test_what_reaches_the_border_is_not_drawn_back_from_it(use):
    labels = np.zeros((3, 20, 20), np.uint32)
    labels[0, :, :10] = labels[2, :, :6] = 1
    after = use("interpolate", labels, (1, 0, 0))
    assert (after[1] > 0).sum(axis=1).tolist() == [8] * 20
    # A plane that is full has no outline at all: it wins everywhere.
    full = np.zeros((3, 20, 20), np.uint32)
    full[0], full[2, :, 14:] = 1, 1
    assert use("interpolate", full, (1, 0, 0))[1].all()


def test_a_volume_of_a_movie(use):
    labels = np.zeros((2, 3, 6, 6), np.uint32)
    labels[1, [0, 2], 1:4, 1:4] = 1
    scope = (slice(1, 2), *(slice(0, n) for n in (3, 6, 6)))
    expected = labels.copy()
    expected[1, 1, 1:4, 1:4] = 1
    assert np.array_equal(use("interpolate", labels, (1, 1, 0, 0), scope=scope), expected)


def test_the_previous_plane_is_copied_onto_background(use):
    labels = np.zeros((3, 6, 6), np.uint32)
    labels[0, 1:4, 1:4], labels[0, 5, 5], labels[1, 2, 2] = BIG, 3, 4
    expected = labels.copy()
    expected[1, 1:4, 1:4] = BIG
    expected[1, 2, 2] = 4
    assert np.array_equal(use("copy_previous", labels, (1, 0, 0), label=BIG), expected)


def test_a_second_copy_is_nothing_to_change(use):
    labels = np.ones((2, 3, 3), np.uint32)
    assert np.array_equal(use("copy_previous", labels, (1, 0, 0)), labels)


def painted():
    labels = np.zeros((7, 8, 8), np.uint32)
    labels[1, 0:3, 0:3] = labels[4, 5:8, 5:8] = 1
    return labels


@pytest.mark.parametrize(
    ("tool", "z", "label", "line"),
    [
        ("interpolate", 1, 1, "Interpolate: this plane shows label 1 already"),
        ("interpolate", 0, 1, "Interpolate: no plane before this one shows label 1"),
        ("interpolate", 5, 1, "Interpolate: no plane after this one shows label 1"),
        ("interpolate", 2, 1, "Interpolate: the outlines of label 1 on planes 1 and 4 do not overlap"),
        ("interpolate", 2, 0, "Interpolate: label 0 is the background"),
        ("copy_previous", 0, 1, "Copy previous: this is the first plane"),
        ("copy_previous", 3, 1, "Copy previous: the previous plane does not show label 1"),
        ("copy_previous", 2, 0, "Copy previous: label 0 is the background"),
    ],
)
def test_what_cannot_be_carried_is_refused(use, tool, z, label, line):
    with pytest.raises(EditError) as error:
        use(tool, painted(), (z, 0, 0), label=label)
    assert str(error.value).startswith(line)


@pytest.mark.parametrize("tool", ["interpolate", "copy_previous"])
def test_a_plane_has_no_neighbours(use, tool):
    with pytest.raises(EditError, match="there is one plane"):
        use(tool, np.ones((5, 5), np.uint32), (0, 0))
