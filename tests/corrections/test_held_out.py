from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.core.errors import UnreadableFileError, UnwritableFileError
from napari_bioseg.corrections.held_out import FILE, HeldOut, read_held_out, split, write_split

PLANES = st.sets(st.integers(0, 14), min_size=1).map(sorted)
ROUNDS = st.lists(st.tuples(PLANES, st.sampled_from(["auto", "auto", "train", "test"])), min_size=3, max_size=3)


def beside(a, b):
    return any(abs(p - q) <= 1 for p in a for q in b)


@given(ROUNDS)
def test_what_is_held_out_is_never_trained_on_over_three_rounds(tmp_path_factory, rounds):
    project = tmp_path_factory.mktemp("project")
    trained, tested, fixed = set(), set(), []
    for verified, use in rounds:
        found = write_split(project, verified, use)
        assert {*found.train, *found.test} <= set(verified)
        trained |= set(found.train)
        tested |= set(found.test)
        fixed.append(read_held_out(project).planes)
    # A model may go on from one of any earlier round, so that not even an earlier one may have seen what is tested.
    assert not beside(trained, {p for planes in fixed for p in planes})
    assert tested <= set(fixed[-1])
    assert all(before in ((), after) for before, after in itertools.pairwise(fixed))


@given(PLANES)
def test_there_is_a_hold_out_wherever_a_split_can_be(verified):
    found = split(HeldOut(), verified, "auto")
    assert bool(found.test) == (len(verified) >= 3)
    assert found.train
    assert len(found.test) <= max(1, round(len(verified) / 5))
    assert ("no score can be given" in found.note) == (not found.test)


@pytest.mark.parametrize(
    ("verified", "train", "test"),
    [
        ([4], [4], []),
        ([0, 9], [0, 9], []),
        ([3, 4, 5], [3], [5]),
        ([0, 1, 2, 10], [0, 1, 2], [10]),
        (range(10), range(7), [8, 9]),
    ],
)
def test_a_block_at_the_least_cost_of_gaps(verified, train, test):
    found = split(HeldOut(), list(verified), "auto")
    assert (found.train, found.test) == (tuple(train), tuple(test))


def test_the_file_says_what_when_and_why_and_never_changes(tmp_path):
    write_split(tmp_path, [0, 1], "auto")
    assert read_held_out(tmp_path).trained == (0, 1)
    found = write_split(tmp_path, [0, 1, 2, 3, 4], "auto")
    # What an earlier model saw cannot be tested on, though the planes 0 and 4 would cost as little.
    assert (found.train, found.test) == ((0, 1, 2), (4,))
    told = read_held_out(tmp_path)
    assert (told.planes, told.trained) == ((4,), (0, 1))
    assert told.created.endswith("+00:00")
    assert told.why == "a block of 1 of 5 verified planes, with a gap of one plane"
    before = (tmp_path / FILE).read_bytes()
    for use in ("auto", "train", "test"):
        write_split(tmp_path, range(12), use)
    assert (tmp_path / FILE).read_bytes() == before


def test_what_was_trained_on_cannot_be_held_out(tmp_path):
    write_split(tmp_path, [0, 1, 2], "train")
    found = write_split(tmp_path, [0, 1, 2, 3], "auto")
    assert (found.train, found.test) == ((0, 1, 2, 3), ())
    assert "all planes were trained on before" in found.note


def test_a_project_that_cannot_be_written_is_one_line_unless_all_is_noted(tmp_path):
    write_split(tmp_path, [0], "auto")
    lock = tmp_path / f".{FILE}.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()  # a lock that cannot be taken
    assert write_split(tmp_path, [0], "auto").train == (0,)
    with pytest.raises(UnwritableFileError, match=r"held_out\.yaml: cannot be written"):
        write_split(tmp_path, [0, 1], "auto")


def test_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / FILE).write_text("planes: many")
    with pytest.raises(UnreadableFileError, match=r"held_out\.yaml: planes"):
        write_split(tmp_path, [0], "auto")
