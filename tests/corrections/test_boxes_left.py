"""Boxes on disk and in a journal: numbers come back exactly, and what does not fit is told."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.corrections.box_table import read_candidates, write_candidates
from napari_bioseg.corrections.boxes_left import BoxesLeft, boxes_left
from napari_bioseg.corrections.contents import Contents
from napari_bioseg.corrections.packing import pack_mask
from napari_bioseg.corrections.project_info import BoxFacts
from napari_bioseg.corrections.records import BoxEdit, Redo, Thresholds, Undo, Verify

FACTS = BoxFacts(shape=(3, 20, 30), thresholds={"iou": 0.6}, own_confidence=0.5, done=True)
ROW, OTHER = (0, 0, 5.5, 1 / 3, 4.0, 2.0), (2, 0, 1.0, 2.0, 3.0, 4.0)


def candidates(n):
    rng = np.random.default_rng(0)
    return Boxes.of(
        rng.random((n, 2)) * 1e3, rng.random((n, 2)), frame=rng.integers(9, size=n), confidence=rng.random(n)
    )


def left_by(*records, shown=(True, False)):
    return boxes_left("journal", Contents({}, list(records)), BoxesLeft.at_first(FACTS, np.array(shown)))


@pytest.mark.parametrize("n", [0, 1, 300])
def test_candidates_come_back_exactly(tmp_path, n):
    boxes, shown = candidates(n), np.random.default_rng(1).random(n) < 0.5
    write_candidates(tmp_path / "boxes.csv", boxes, shown)
    back, mask = read_candidates(tmp_path / "boxes.csv")
    assert np.array_equal(mask, shown)
    for name in ("frame", "z", "centre", "size", "confidence", "hand"):
        assert np.array_equal(getattr(back, name), getattr(boxes, name))


@pytest.mark.parametrize(
    "text", ["", "a,b\n", "frame,z,y,x,height,width,confidence,shown\n0,0,1\n", "half", "nan"], ids=str
)
def test_damaged_candidates_are_one_line(tmp_path, text):
    path = tmp_path / "boxes.csv"
    write_candidates(path, candidates(8), np.ones(8, bool))
    whole = path.read_text()
    path.write_text({"half": whole[: len(whole) // 2], "nan": whole.replace("0.", "nan", 1)}.get(text, text))
    with pytest.raises(UnreadableFileError, match=r"boxes\.csv: is missing or damaged"):
        read_candidates(path)


def test_boxes_by_hand_are_numbered_as_they_were_drawn():
    left = left_by(BoxEdit((1,), (ROW, OTHER)), BoxEdit((2,), (ROW,)), BoxEdit((4,), ()))
    assert left.there.tolist() == [True, False]
    assert left.drawn == {3: OTHER}
    assert (left.edits, left.added) == (3, 3)
    hand = left.boxes_by_hand()
    assert (hand.frame.tolist(), hand.centre.tolist(), hand.size.tolist()) == ([2], [[1, 2]], [[3, 4]])
    assert hand.hand.all()
    assert len(left_by().boxes_by_hand()) == 0


def test_thresholds_and_checked_frames_are_the_last_ones():
    whole = (slice(1, 2), slice(0, 20), slice(0, 30))
    left = left_by(
        Thresholds({"iou": 0.2}, pack_mask(np.array([False, True]))), Verify(whole, True), Verify(whole, False),
        Verify((slice(2, 3), *whole[1:]), True),
    )  # fmt: skip
    assert (left.thresholds, left.shown.tolist()) == ({"iou": 0.2}, [False, True])
    assert left.verified.planes() == {(2,): "all"}
    assert left.edits == 0


@pytest.mark.parametrize(
    "record",
    [BoxEdit((2,), ()), Thresholds({}, pack_mask(np.ones(9, bool))), Thresholds({}, "no base64!")],
    ids=["a box too many", "a mask of more boxes", "a mask that is none"],
)
def test_a_journal_of_other_boxes_is_refused(record):
    with pytest.raises(UnreadableFileError, match="journal: line 3 does not fit"):
        left_by(BoxEdit((0,), ()), record)
    with pytest.raises(UnreadableFileError, match="line 3"):
        left_by(BoxEdit((0,), ()), BoxEdit((0,), ()))


def state(left):
    return left.there.tolist(), (left.shown & left.there).tolist(), left.drawn, left.edits


def test_edits_are_undone_and_redone():
    edits = BoxEdit((0,), (ROW, OTHER)), BoxEdit((2, 1), (OTHER,)), BoxEdit((4,), (ROW,))
    undos, redos = (Undo(3), Undo(2), Undo(1)), (Redo(1), Redo(2), Redo(3))
    for n in range(4):
        back, again = undos[: 3 - n], redos[n:]
        assert left_by(*edits, *back).drawn == left_by(*edits[:n]).drawn
        assert left_by(*edits, *back).there.tolist() == left_by(*edits[:n]).there.tolist()
        assert state(left_by(*edits, *back, *again)) == state(left_by(*edits))
    left = left_by(*edits, Undo(3), BoxEdit((3,), (ROW,)))
    assert left.drawn == {4: OTHER, 6: ROW}  # a number is given once
    assert (left.history.done, left.history.undone) == ([1, 2, 4], [])


def test_hundreds_of_edits_are_undone():
    edits = [BoxEdit((), ((n, 0, 1.0, 2.0, 3.0, 4.0),)) for n in range(250)]
    undos, redos = [Undo(n) for n in range(250, 0, -1)], [Redo(n) for n in range(1, 251)]
    assert left_by(*edits, *undos).drawn == {}
    assert state(left_by(*edits, *undos, *redos)) == state(left_by(*edits))


def test_a_found_box_that_comes_back_is_shown():
    left = left_by(BoxEdit((0, 1), ()), Thresholds({}, pack_mask(np.zeros(2, bool))), Undo(1))
    assert left.there.tolist() == left.shown.tolist() == [True, True]


@pytest.mark.parametrize("record", [Undo(1), Redo(2), Redo(1)], ids=["not the last", "never made", "not undone"])
def test_what_is_undone_out_of_turn_is_refused(record):
    with pytest.raises(UnreadableFileError, match="line 4 does not fit"):
        left_by(BoxEdit((0,), ()), BoxEdit((1,), ()), record)
