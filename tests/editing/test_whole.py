from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.core.errors import EditError

LOW, HIGH = 3, 70_001


def two(shape):
    """A pair of boxes, and a second piece with the label of the first."""
    labels = np.zeros(shape, np.uint32)
    labels[..., 2:5, 2:6] = LOW
    labels[..., 5:9, 2:6] = HIGH
    labels[..., 2:5, 12:15] = LOW
    return labels


@pytest.fixture(params=[(12, 16), (4, 12, 16)], ids=["plane", "volume"])
def labels(request):
    return two(request.param)


def at(labels, y, x):
    return (*(1,) * (labels.ndim - 2), y, x)


def test_merge_gives_the_second_the_label_of_the_first(use, labels):
    after = use("merge", labels, at(labels, 6, 3), at(labels, 3, 3))
    expected = labels.copy()
    expected[..., 2:5, 2:6] = HIGH
    assert np.array_equal(after, expected)


def test_merge_without_pieces_takes_all_of_the_second_label(use, labels):
    after = use("merge", labels, at(labels, 6, 3), at(labels, 3, 3), pieces=False)
    assert np.array_equal(after, np.where(labels == LOW, np.uint32(HIGH), labels))


@pytest.mark.parametrize(("first", "second"), [((3, 3), (4, 4)), ((3, 3), (3, 13))])
def test_merge_of_one_label_is_refused(use, labels, first, second):
    with pytest.raises(EditError, match=r"Merge: both clicks are on label 3\. Click on objects of two labels"):
        use("merge", labels, at(labels, *first), at(labels, *second))


def test_delete_takes_the_piece_or_the_label(use, labels):
    piece, both = (use("delete", labels, at(labels, 3, 3), pieces=p) for p in (True, False))
    expected = labels.copy()
    expected[..., 2:5, 2:6] = 0
    assert np.array_equal(piece, expected)
    assert np.array_equal(both, np.where(labels == LOW, 0, labels))


def test_relabel_writes_the_chosen_label(use, labels):
    after = use("relabel", labels, at(labels, 3, 13), label=2**32 - 1)
    expected = labels.copy()
    expected[..., 2:5, 12:15] = 2**32 - 1
    assert np.array_equal(after, expected)
    assert np.array_equal(use("relabel", labels, at(labels, 3, 13), label=LOW), labels)


def test_relabel_does_not_delete(use, labels):
    with pytest.raises(EditError, match="Assign label: label 0 is the background"):
        use("relabel", labels, at(labels, 3, 3), label=0)


@pytest.mark.parametrize("tool", ["delete", "relabel", "fill_holes", "smooth", "grow", "shrink", "keep_largest"])
def test_a_click_on_the_background_is_refused(use, labels, tool):
    with pytest.raises(EditError, match=r"the click is on the background\. Click on an object"):
        use(tool, labels, at(labels, 0, 0))


@pytest.mark.parametrize("clicks", [((0, 0), (3, 3)), ((3, 3), (0, 0))])
def test_merge_needs_two_objects(use, labels, clicks):
    with pytest.raises(EditError, match=r"Merge: the .*click is on the background"):
        use("merge", labels, *(at(labels, *c) for c in clicks))


def test_a_plane_of_a_volume_is_all_that_a_plane_tool_sees(use):
    labels = two((2, 3, 12, 16))
    after = use("delete", labels, (1, 2, 3, 3), scope=(slice(1, 2), slice(2, 3), slice(0, 12), slice(0, 16)))
    expected = labels.copy()
    expected[1, 2, 2:5, 2:6] = 0
    assert np.array_equal(after, expected)


def test_a_volume_of_a_movie_is_all_that_a_volume_tool_sees(use):
    labels = two((2, 3, 12, 16))
    after = use("delete", labels, (1, 2, 3, 3), scope=(slice(1, 2), slice(0, 3), slice(0, 12), slice(0, 16)))
    expected = labels.copy()
    expected[1, :, 2:5, 2:6] = 0
    assert np.array_equal(after, expected)


def test_zarr_and_small_blocks_make_no_difference(use, small_blocks, stored):
    labels = two((4, 12, 16))
    with small_blocks():
        after = use("merge", stored(labels, (2, 4, 4)), (1, 6, 3), (1, 3, 3))
    assert np.array_equal(after, use("merge", labels, (1, 6, 3), (1, 3, 3)))
