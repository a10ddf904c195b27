from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest

from napari_bioseg.core.errors import UnreadableFileError, UnwritableFileError
from napari_bioseg.corrections import writer
from napari_bioseg.corrections.change import Change, Patch
from napari_bioseg.corrections.journal import Journal, read_journal
from napari_bioseg.corrections.linefile import LineFile
from napari_bioseg.corrections.records import Redo, Step, StepLine, Undo, Verify, encode
from napari_bioseg.corrections.sealing import seal

MOVABLE = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files where they are")
LONG = 60  # seconds: longer than anything here takes, so that a test that hangs fails


def step(number):
    after = np.array([70_000 + number, 1, 2], np.uint32)
    patch = Patch((0, number, 2), np.ones((1, 1, 3), bool), np.array(number, np.uint32), after)
    return Step(number, Change("paint", (patch,)))


RECORDS = (step(1), step(2), Undo(2), Redo(2), Verify((slice(0, 1), slice(0, 9), slice(0, 8)), True), step(3))


def fail(error):
    raise error


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


@pytest.fixture
def written(path):
    """A closed journal of `RECORDS`, as bytes."""
    with Journal(path, {"shape": [1, 9, 8]}, on_problem=fail) as journal:
        for record in RECORDS:
            journal.append(record)
    return path.read_bytes()


class Problems(list):
    """What `on_problem` was told."""

    def __init__(self):
        super().__init__()
        self.come = threading.Event()

    def __call__(self, error):
        self.append(str(error))
        self.come.set()


@contextmanager
def room_for(size):
    """Let no file of this process grow beyond `size` bytes: a disk that is full."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_appended_is_read_again(path, written):
    contents = read_journal(path)
    assert contents.header == {"format": "napari-bioseg journal", "version": 1, "shape": [1, 9, 8]}
    assert [type(r) for r in contents.records] == [StepLine, StepLine, Undo, Redo, Verify, StepLine]
    assert contents.records[2:5] == list(RECORDS[2:5])
    assert (contents.cut_bytes, contents.good_size, contents.next_id) == (0, len(written), 4)
    assert b"".join(encode(r) for r in RECORDS) == written[written.index(b"\n") + 1 :]


def test_append_hands_over_one_record_at_a_time(path):
    with Journal(path, {}, on_problem=fail) as journal:
        for number in range(1, 301):
            journal.append(step(number))
            assert number - 1 <= journal.written <= number
    assert journal.written == 300


def test_a_step_is_read_from_the_file_and_while_it_is_on_its_way(path):
    gate, told = threading.Event(), []

    def hold(count):
        told.append(count)
        gate.wait(LONG)

    with Journal(path, {}, on_problem=fail, on_written=hold) as journal:
        journal.append(step(1))
        assert journal.read(1).patches[0].start == (0, 1, 2)
        gate.set()
        journal.append(step(2))
        journal.flush()
        for number in (2, 1):
            patch = journal.read(number).patches[0]
            assert np.array_equal(patch.after, step(number).change.patches[0].after)
        with pytest.raises(KeyError):
            journal.read(3)
    assert told == [1, 2]


@MOVABLE
def test_reading_a_step_of_a_journal_that_went_is_one_line(path):
    with Journal(path, {}, on_problem=fail) as journal:
        journal.append(step(1))
        journal.flush()
        moved = path.rename(path.with_name("moved"))
        with pytest.raises(UnreadableFileError, match="cannot be opened"):
            journal.read(1)
        moved.write_bytes(moved.read_bytes().replace(b"paint", b"point"))
        moved.rename(path)
        with pytest.raises(UnreadableFileError, match="checksum"):
            journal.read(1)


def test_a_window_that_fails_does_not_end_the_writing(path, caplog):
    with Journal(path, {}, on_problem=fail, on_written=lambda count: 1 // (count - 1)) as journal:
        for number in (1, 2):
            journal.append(step(number))
    assert len(read_journal(path).records) == 2
    assert caplog.text.count("ZeroDivisionError") == 1


def test_a_record_that_cannot_be_written_ends_it_with_an_error_not_with_waiting(path, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    problems = Problems()
    journal = Journal(path, {}, on_problem=problems)
    journal.append(Step(object(), Change("paint", ())))
    with pytest.raises(UnwritableFileError, match="closed"):
        journal.append(step(2))
    with pytest.raises(UnwritableFileError, match="1 steps are lost"):
        journal.close()
    assert len(problems) == 1
    assert "a step cannot be recorded" in problems[0]


def test_a_closed_journal_takes_no_more(path):
    journal = Journal(path, {}, on_problem=fail)
    journal.close()
    journal.close()
    with pytest.raises(UnwritableFileError, match="closed"):
        journal.append(step(1))


def test_a_full_disk_keeps_all_in_memory_tells_once_and_goes_on_in_order(path):
    problems, written = Problems(), threading.Event()
    with Journal(path, {}, on_problem=problems, on_written=lambda n: written.set() if n == 5 else None) as journal:
        journal.append(step(1))
        journal.flush()
        size = path.stat().st_size
        with room_for(size + 40):  # a part of a line fits
            journal.append(step(2))
            assert problems.come.wait(LONG)
            assert path.stat().st_size == size
            for record in (step(3), Undo(3), Redo(3)):
                journal.append(record)
            with pytest.raises(UnwritableFileError, match="too large"):
                journal.flush()
            assert journal.read(2).patches[0].start == (0, 2, 2)
            assert journal.written == 1
        assert written.wait(LONG)  # by itself: nothing is appended
        assert len(problems) == 1
        assert "Free some space; what is not saved is kept in memory" in problems[0]
        journal.flush()
        assert journal.read(2).patches[0].start == (0, 2, 2)
        with room_for(path.stat().st_size):
            problems.come.clear()
            journal.append(step(4))
            assert problems.come.wait(LONG)  # told again: it had recovered
        journal.append(step(5))  # tries again at once
    assert [getattr(r, "id", None) for r in read_journal(path).records] == [1, 2, 3, 3, 3, 4, 5]


def test_the_next_step_tries_again_at_once(path, monkeypatch):
    monkeypatch.setattr(writer, "RETRY_S", 2 * LONG)
    problems, written = Problems(), threading.Event()
    with Journal(path, {}, on_problem=problems, on_written=lambda n: written.set() if n == 2 else None) as journal:
        with room_for(path.stat().st_size):
            journal.append(step(1))
            assert problems.come.wait(LONG)
        journal.append(step(2))
        assert written.wait(LONG)


def test_closing_on_a_full_disk_says_what_is_lost(path):
    journal = Journal(path, {}, on_problem=Problems())
    with room_for(path.stat().st_size + 40):
        journal.append(step(1))
        journal.append(step(2))
        with pytest.raises(UnwritableFileError, match="2 steps are lost"):
            journal.close()
    assert read_journal(path).records == []


def test_the_process_ends_without_close(path, tmp_path):
    code = f"""if True:
        import sys
        from pathlib import Path
        from napari_bioseg.corrections.journal import Journal
        from napari_bioseg.corrections.records import Verify
        journal = Journal(Path(sys.argv[1]), {{}}, on_problem=lambda error: None)
        if len(sys.argv) > 2:
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
        for n in range({len(RECORDS)}):
            journal.append(Verify((slice(n, n + 1),), True))
    """
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert len(read_journal(path).records) == len(RECORDS)
    pytest.importorskip("resource")
    full = tmp_path / "full.jsonl"
    ended = subprocess.run([sys.executable, "-c", code, str(full), "full"], check=True, capture_output=True, text=True)
    assert len(ended.stderr.splitlines()) == 1
    assert f"{len(RECORDS)} steps are lost" in ended.stderr


def test_what_a_failed_write_left_is_cut_before_the_next_one(path):
    path.write_bytes(b"one\na part of a line")
    file = LineFile(path, 4)
    assert file.append(b"two\n") == 4
    file.close()
    assert path.read_bytes() == b"one\ntwo\n"


@MOVABLE
def test_a_file_that_was_removed_or_replaced_is_told(path, written):
    for put in (lambda: None, lambda: path.write_bytes(written)):
        path.unlink(missing_ok=True)
        problems = Problems()
        journal = Journal(path, {}, on_problem=problems)
        path.unlink()
        put()
        journal.append(step(1))
        assert problems.come.wait(LONG)
        with pytest.raises(UnwritableFileError, match="cannot be written"):
            journal.close()


def test_the_file_is_opened_again_after_a_failure_unless_it_lost_lines(path):
    problems = Problems()
    journal = Journal(path, {}, on_problem=problems)
    size = path.stat().st_size
    with room_for(size):
        journal.append(step(1))
        assert problems.come.wait(LONG)
    os.truncate(path, size - 5)
    with pytest.raises(UnwritableFileError, match="shorter"):
        journal.close()
    assert path.stat().st_size == size - 5


def test_it_is_not_begun_where_it_cannot_be(path, tmp_path):
    path.write_text("something else")
    with pytest.raises(UnwritableFileError, match="exists already"):
        Journal(path, {}, on_problem=fail)
    with pytest.raises(UnwritableFileError, match="does not exist"):
        Journal(tmp_path / "no" / "journal.jsonl", {}, on_problem=fail)
    with room_for(5), pytest.raises(UnwritableFileError, match="too large"):
        Journal(tmp_path / "full.jsonl", {}, on_problem=fail)
    assert list(tmp_path.iterdir()) == [path]


def test_a_read_only_folder_or_file_is_one_line(path, tmp_path, written):
    contents = read_journal(path)
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        if os.access(path, os.W_OK):
            pytest.skip("this user may write anywhere")
        with pytest.raises(UnwritableFileError, match="ermission"):
            Journal(tmp_path / "new.jsonl", {}, on_problem=fail)
        with pytest.raises(UnwritableFileError, match="ermission"):
            Journal.resume(path, contents, on_problem=fail)
    finally:
        tmp_path.chmod(0o755)


def test_cut_anywhere_in_the_last_line_all_before_is_there_and_it_goes_on(path, written):
    *whole, last = written.splitlines(keepends=True)
    begins = len(written) - len(last)
    kept = path.with_name("journal.jsonl.cut")
    for length in range(len(last)):
        path.write_bytes(b"".join(whole) + last[:length])
        contents = read_journal(path)
        assert (len(contents.records), contents.good_size, contents.cut_bytes) == (5, begins, length)
        with Journal.resume(path, contents, on_problem=fail) as journal:
            assert journal.written == 5
            journal.append(RECORDS[-1])
            assert journal.read(1).tool == "paint"
        assert path.read_bytes() == written
        assert not length or kept.read_bytes().endswith(last[:length])
    assert kept.stat().st_size == sum(range(len(last)))  # of several times, all


def test_a_damaged_last_line_is_cut(path, written):
    for tail in (b"\0" * 4096, written.splitlines(keepends=True)[-1].replace(b"paint", b"point")):
        path.write_bytes(written + tail)
        contents = read_journal(path)
        assert (contents.good_size, contents.cut_bytes) == (len(written), len(tail))


def test_a_damaged_line_in_the_middle_is_named(path, written):
    lines = written.splitlines(keepends=True)
    for number in range(2, len(lines)):
        damaged = [*lines]
        damaged[number - 1] = damaged[number - 1].replace(b'"time": "2', b'"time": "3')
        path.write_bytes(b"".join(damaged))
        with pytest.raises(UnreadableFileError, match=rf"journal\.jsonl: line {number} is damaged") as told:
            read_journal(path)
        contents = read_journal(path, up_to_damage=True)
        assert str(contents.damage) == str(told.value)
        assert (len(contents.records), contents.good_size) == (number - 2, sum(map(len, lines[: number - 1])))
        Journal.resume(path, contents, on_problem=fail).close()
        assert path.read_bytes() + path.with_name("journal.jsonl.cut").read_bytes() == b"".join(damaged)
        path.with_name("journal.jsonl.cut").unlink()


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ((step(1), step(1)), "a step 1 already"),
        ((step(1), step(2), Undo(1)), "undoes step 1, which is not the last"),
        ((Undo(1),), "undoes step 1"),
        ((step(1), Redo(1)), "redoes step 1"),
        ((step(1), Undo(1), step(2), Redo(1)), "redoes step 1"),
    ],
)
def test_lines_that_do_not_follow_from_each_other_are_damage(path, records, why):
    with Journal(path, {}, on_problem=fail) as journal:
        for record in (*records, Verify((), True)):
            journal.append(record)
    with pytest.raises(UnreadableFileError, match=why):
        read_journal(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is no journal"),
        (b"II*\0" * 100, "is no journal"),
        (b"[" * 2**21, "is no journal"),
        (b'{"format": "something else"}\n', "is no journal"),
        (seal({"format": "napari-bioseg journal", "version": 2}), "newer napari-bioseg .format 2.. Update the plugin"),
        (seal({"format": "napari-bioseg journal", "version": 1}).replace(b"1,", b"1 ,"), "first line is damaged"),
        (seal({"format": "napari-bioseg journal", "version": 1})[:-1], "first line is damaged"),
        (seal({"format": "napari-bioseg journal", "version": "x"}), "newer napari-bioseg .format x."),
    ],
)
def test_other_files_are_one_clear_line(path, content, why):
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=why):
        read_journal(path, up_to_damage=True)


def test_a_file_that_is_not_there_is_one_clear_line(path):
    with pytest.raises(UnreadableFileError, match="cannot be opened"):
        read_journal(path)


def test_a_record_that_this_version_does_not_know_asks_for_an_update(path, written):
    path.write_bytes(written + seal({"op": "polygon", "corners": []}))
    with pytest.raises(UnreadableFileError, match=r"line 8 records 'polygon'.*Update the plugin"):
        read_journal(path, up_to_damage=True)


def test_it_goes_on_only_with_what_was_read(path, written):
    contents = read_journal(path)
    more = encode(Undo(3))
    path.write_bytes(written + more)
    with pytest.raises(UnwritableFileError, match="changed since"):
        Journal.resume(path, contents, on_problem=fail)
    assert path.read_bytes() == written + more


def test_the_disk_confirms_at_most_once_in_its_time(path, monkeypatch):
    """Each stroke is in the file at once; what costs tens of milliseconds on some disks does not come with each."""
    monkeypatch.setattr(writer, "SYNC_S", 0.2)
    confirmed, twice, fsync = [], threading.Event(), os.fsync

    def noted(descriptor):
        fsync(descriptor)
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            confirmed.append(time.monotonic())
            if len(confirmed) == 3:
                twice.set()

    with Journal(path, {"shape": [1, 9, 8]}, on_problem=fail) as journal:
        monkeypatch.setattr(os, "fsync", noted)
        number = 0
        while not twice.is_set():
            number += 1
            journal.append(step(number % 9))
        monkeypatch.setattr(os, "fsync", fsync)
    assert number > len(confirmed)
    assert min(b - a for a, b in pairwise(confirmed)) >= 0.2 - 0.02
