"""What the panel "Runs" shows."""

from __future__ import annotations

import os

import pytest

from napari_bioseg.core.errors import UnwritableFileError
from napari_bioseg.plugin.run_entries import RunReader, delete_runs, figures, side_by_side
from napari_bioseg.runs import Run, at_work, known_runs
from napari_bioseg.runs.sync_state import note_sync

_URI = "http://127.0.0.1:1"


def read_runs(uri):
    return RunReader().read(uri)


@pytest.fixture
def make_run(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOSEG_RUNS", str(tmp_path / "data"))

    def make(name, losses=(), kind="training", status="finished"):
        run = Run(tmp_path / name)
        run.start("name: x\n", kind=kind, name=name, tags={"model": f"{name}-model"})
        for epoch, loss in enumerate(losses, start=1):
            run.log(epoch=epoch, loss=loss, device="cpu")
        if status != "running":
            run.end(status)
        return run.folder

    return make


def test_the_newest_comes_first_with_its_curves(make_run):
    make_run("one", (3.0, 2.0))
    make_run("two", (1.0, None, 0.5))
    newest, oldest = read_runs(_URI)
    assert (newest.name, oldest.name) == ("two", "one")
    assert (newest.last("loss"), oldest.last("loss"), oldest.last("score")) == (0.5, 2.0, None)
    assert figures((newest, oldest)) == ("loss",)
    Run(oldest.folder).log(above=1.0, score=0.5)
    assert figures(read_runs(_URI)) == ("score", "loss", "above")
    assert side_by_side(oldest, newest) == [("loss", "2", "0.5", "-1.5")]


def test_the_state_is_that_of_the_server_asked_for(make_run):
    folder = make_run("one", (3.0,))
    assert read_runs(_URI)[0].state == "local"
    note_sync(folder, _URI, "failed", why="disk full")
    assert (read_runs(_URI)[0].state, read_runs(_URI)[0].why) == ("failed", "disk full")
    assert read_runs("http://127.0.0.1:2")[0].state == "local"
    note_sync(folder, _URI, "synced", page="http://page")
    assert (read_runs(_URI)[0].state, read_runs(_URI)[0].page) == ("synced", "http://page")
    for record in ("metrics.jsonl", "run.json", "comparison.json"):
        (folder / record).touch()
        os.utime(folder / record, (2**33, 2**33))
        assert read_runs(_URI)[0].state == "pending"
        os.utime(folder / record, (1, 1))
    os.utime(folder / "sync.json", (2**33, 2**33))
    assert read_runs(_URI)[0].state == "synced"
    note_sync(folder, _URI, "failed", why="disk full")
    os.utime(folder / "run.json", (2**33, 2**33))
    assert read_runs(_URI)[0].state == "failed"


def test_figures_within_others_are_there_by_their_path(make_run):
    folder = make_run("one")
    Run(folder).log(epoch=1, loss=2.0, device="cpu", system={"memory": 3})
    Run(folder).log(test="a.tif", scores={"dice": 0.8}, good=True)
    entry = read_runs(_URI)[0]
    assert figures([entry]) == ("loss", "system/memory", "test/scores/dice")
    assert (entry.last("loss"), entry.last("system/memory"), entry.last("test/scores/dice")) == (2.0, 3, 0.8)


def test_a_run_that_has_not_changed_is_not_read_again(make_run):
    one, two = make_run("one", (3.0,)), make_run("two", (1.0,))
    reader = RunReader()
    first = reader.read(_URI)
    again = reader.read(_URI)
    assert all(a is b for a, b in zip(first, again, strict=True))
    Run(one).log(epoch=2, loss=2.0)
    changed = reader.read(_URI)
    assert (changed[0] is first[0], changed[1].last("loss")) == (True, 2.0)
    note_sync(two, _URI, "synced")
    assert [entry.state for entry in reader.read(_URI)] == ["synced", "local"]
    assert [entry.state for entry in reader.read("http://127.0.0.1:2")] == ["local", "local"]
    delete_runs([two])
    assert [entry.name for entry in reader.read(_URI)] == ["one"]


def test_a_damaged_record_hides_no_other_run(make_run):
    make_run("one")
    (make_run("two") / "run.json").write_text("{")
    assert [entry.status for entry in read_runs(_URI)] == ["older", "finished"]


def test_a_killed_run_is_told_apart_from_one_at_work(make_run):
    folder = make_run("one", status="running")
    assert read_runs(_URI)[0].status == "interrupted"
    with at_work(folder):
        assert read_runs(_URI)[0].status == "running"


def test_words_are_looked_for_everywhere(make_run):
    make_run("one", kind="batch", status="failed")
    entry = read_runs(_URI)[0]
    assert entry.says("BATCH failed one-model")
    assert not entry.says("batch finished")


def test_a_run_that_is_deleted_is_gone_and_one_at_work_stays(make_run):
    one, two = make_run("one"), make_run("two")
    with at_work(two), pytest.raises(UnwritableFileError, match="is at work"):
        delete_runs([one, two])
    assert not one.exists()
    assert known_runs() == (two,)
