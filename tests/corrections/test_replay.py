from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bioseg.core.errors import Cancelled, UnreadableFileError
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.change import Change, Patch
from napari_bioseg.corrections.contents import Contents
from napari_bioseg.corrections.history import History
from napari_bioseg.corrections.journal import Journal, read_journal, replay
from napari_bioseg.corrections.records import Redo, Step, Undo

SHAPE = (3, 9, 12)


def change(labels, random):
    """Make a step of overlapping patches in the labels."""
    patches = []
    for _ in range(random.integers(1, 4)):
        box = tuple(slice(c, c + int(random.integers(1, n))) for n in SHAPE for c in [int(random.integers(n))])
        before = labels[box].copy()
        after = np.where(random.random(before.shape) < 0.5, before, random.integers(2**32, dtype=np.uint32))
        labels[box] = after
        patch = Patch.between([s.start for s in box], before, after)
        patches += [patch] if patch is not None else []
    return Change("paint", tuple(patches))


def session(moves, random, labels):
    """What a person does, each move made in the labels at once: the naive model."""
    history, steps, records = History(), {}, []
    for move in moves:
        if move == "undo" and history.done:
            records.append(Undo(history.undo()))
            steps[records[-1].id].revert(labels)
        elif move == "redo" and history.undone:
            records.append(Redo(history.redo()))
            steps[records[-1].id].apply(labels)
        else:
            records.append(Step(len(steps) + 1, change(labels, random)))
            steps[records[-1].id] = records[-1].change
            history.added(records[-1].id)
    return records, history


def write(path, records):
    with Journal(path, {}, on_problem=pytest.fail) as journal:
        for record in records:
            journal.append(record)
    return read_journal(path)


@settings(deadline=None, max_examples=40)  # each writes a file
@given(st.lists(st.sampled_from(["paint", "paint", "undo", "undo", "redo"]), max_size=25), st.integers(0, 2**32))
def test_the_steps_that_are_done_make_what_all_moves_made(moves, seed):
    random = np.random.default_rng(seed)
    base = random.integers(0, 4, SHAPE).astype(np.uint32)
    labels = base.copy()
    records, history = session(moves, random, labels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        contents = write(path, records)
        assert History.of(contents) == history
        stored = zarr.create_array(store={}, data=base, chunks=(1, 4, 5))
        seen = []
        for array in (base, stored):
            replay(path, array, contents, seen=seen.append)
            assert np.array_equal(array[...], labels)
        assert len(seen) == 2 * len(history.done)


def test_any_number_of_steps_goes_back_and_forth():
    history = History()
    for step in range(1, 1001):
        history.added(step)
    assert [history.undo() for _ in range(1001)] == [*range(1000, 0, -1), None]
    assert [history.redo() for _ in range(1001)] == [*range(1, 1001), None]
    history.undo()
    history.added(1001)
    assert history.redo() is None
    assert history.done[-2:] == [999, 1001]


def point(number, place):
    after = np.array(number, np.uint32)
    return Step(number, Change("paint", (Patch(place, np.ones((1,) * len(place), bool), np.uint32(0) * after, after),)))


class Counted:
    """A zarr array that notes which boxes are read and written."""

    def __init__(self, array):
        self.array, self.boxes = array, []
        self.shape, self.chunks = array.shape, array.chunks

    def __getitem__(self, box):
        self.boxes.append(("read", box))
        return self.array[box]

    def __setitem__(self, box, values):
        self.boxes.append(("written", box))
        self.array[box] = values


def test_steps_in_the_same_chunks_are_read_and_written_once(tmp_path):
    path = tmp_path / "journal.jsonl"
    contents = write(
        path, [point(n + 1, (0, n, 2 * n)) for n in range(4)] + [point(9, (2, 0, 0)), point(10, (2, 8, 11))]
    )
    array = Counted(zarr.create_array(store={}, shape=SHAPE, chunks=(1, 4, 12), dtype="uint32"))
    replay(path, array, contents)
    first = (slice(0, 1), slice(0, 4), slice(0, 12))
    ends = [(slice(2, 3), slice(0, 1), slice(0, 1)), (slice(2, 3), slice(8, 9), slice(11, 12))]
    assert array.boxes == [(what, box) for box in (first, *ends) for what in ("read", "written")]
    assert array.array[0, 3, 6] == 4
    assert array.array[2, 8, 11] == 10


def test_what_was_undone_is_not_even_read(tmp_path):
    path = tmp_path / "journal.jsonl"
    contents = write(path, [point(1, (0, 0, 0)), Undo(1), point(2, (1, 1, 1))])
    contents.offsets.pop(1)
    labels = np.zeros(SHAPE, np.uint32)
    replay(path, labels, contents)
    assert labels.sum() == labels[1, 1, 1] == 2


def test_it_tells_how_far_it_is_and_stops_when_told(tmp_path):
    path = tmp_path / "journal.jsonl"
    contents = write(path, [point(n + 1, (0, n, 0)) for n in range(3)])
    told = []
    replay(path, np.zeros(SHAPE, np.uint32), contents, Job(told.append))
    assert [(p.done, p.total) for p in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        replay(path, np.zeros(SHAPE, np.uint32), contents, job)


def test_labels_of_another_shape_are_refused(tmp_path):
    path = tmp_path / "journal.jsonl"
    contents = write(path, [point(1, (0, 8, 0))])
    for shape in ((3, 8, 12), (9, 12)):
        with pytest.raises(UnreadableFileError, match=r"journal\.jsonl: the step at byte"):
            replay(path, np.zeros(shape, np.uint32), contents)


def test_a_journal_that_was_changed_meanwhile_is_refused(tmp_path):
    path = tmp_path / "journal.jsonl"
    contents = write(path, [point(1, (0, 8, 0)), Undo(1)])
    offset = path.read_bytes().rindex(b'{"op"')
    wrong = Contents({}, contents.records[:1], {1: offset})
    with pytest.raises(UnreadableFileError, match="no step"):
        replay(path, np.zeros(SHAPE, np.uint32), wrong)
    path.unlink()
    with pytest.raises(UnreadableFileError, match="cannot be opened"):
        replay(path, np.zeros(SHAPE, np.uint32), contents)
