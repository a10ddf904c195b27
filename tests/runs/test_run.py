"""Runs on disk."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from napari_bioseg.core import Cancelled, UnreadableFileError
from napari_bioseg.runs import Run, find_run
from napari_bioseg.runs.info import RunInfo, milliseconds


def told(run: Run) -> RunInfo:
    assert run.info is not None
    return run.info


def test_metrics_come_back_in_order(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.log(epoch=1, loss=0.5)
    run.log(epoch=2, loss=0.25)
    assert [(m["epoch"], m["loss"]) for m in run.metrics()] == [(1, 0.5), (2, 0.25)]


def test_a_line_cut_by_a_crash_is_left_out(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.log(epoch=1)
    with (tmp_path / "metrics.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"epoch": 2, "lo')
    assert [m["epoch"] for m in run.metrics()] == [1]
    run.log(epoch=3)
    assert [m["epoch"] for m in run.metrics()] == [1, 3]


def test_a_resumed_run_drops_what_it_will_write_again(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for epoch in (1, 2, 3):
        run.log(epoch=epoch)
    run.keep_metrics(lambda line: line["epoch"] <= 2)
    assert [m["epoch"] for m in run.metrics()] == [1, 2]


def test_environment_names_library_versions(tmp_path: Path) -> None:
    Run(tmp_path).start("name: x\n")
    assert '"torch"' in (tmp_path / "environment.json").read_text(encoding="utf-8")
    assert find_run(tmp_path).folder == tmp_path


def test_a_failed_write_leaves_the_recipe(tmp_path: Path) -> None:
    Run(tmp_path).start("name: x\n")
    # A lone surrogate cannot be written as UTF-8: the write fails half-way.
    with pytest.raises(UnicodeEncodeError):
        Run(tmp_path).start("name: y\n\ud800")
    assert (tmp_path / "recipe.yaml").read_text(encoding="utf-8") == "name: x\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["environment.json", "recipe.yaml", "run.json"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"recipe\.yaml"):
        find_run(tmp_path)


def test_a_run_says_that_it_runs_and_how_it_ended(tmp_path: Path) -> None:
    run = Run(tmp_path / "cells")
    run.start("a: 1\n", kind="batch", tags={"image": "a.tif"}, parent="p")
    info = told(run)
    assert (info.kind, info.name, info.status, info.ended) == ("batch", "cells", "running", None)
    assert (info.tags, info.parent) == ({"image": "a.tif"}, "p")
    run.end("failed", "the disk is full")
    assert (told(run).status, told(run).why) == ("failed", "the disk is full")
    assert (told(run).ended or "") >= info.started


def test_a_run_that_is_gone_on_with_keeps_its_id_and_its_start(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.start("a: 1\n", name="first", tags={"image": "a.tif"})
    before = told(run)
    run.end("cancelled", "no time")
    run.start("a: 2\n", tags={"model": "m"})
    now = told(run)
    assert (now.id, now.started, now.name) == (before.id, before.started, "first")
    assert (now.status, now.ended, now.why) == ("running", None, None)
    assert now.tags == {"image": "a.tif", "model": "m"}


@pytest.mark.parametrize(
    ("error", "status", "why"),
    [
        (None, "finished", None),
        (Cancelled("job", "cancelled"), "cancelled", None),
        (KeyboardInterrupt(), "cancelled", None),
        (ValueError("two\nlines"), "failed", "two lines"),
        (MemoryError(), "failed", "MemoryError"),
    ],
)
def test_however_it_ends_it_is_noted(tmp_path: Path, error: BaseException | None, status: str, why: str | None) -> None:
    run = Run(tmp_path)
    run.start("a: 1\n")

    def work() -> None:
        with run.ending():
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(type(error)):
            work()
    assert (told(run).status, told(run).why) == (status, why)


def test_an_end_that_cannot_be_noted_does_not_hide_what_ended_it(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.start("a: 1\n")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ValueError, match="why"), run.ending():
        raise ValueError("why")


def test_a_run_of_an_older_version_gets_an_id_and_keeps_its_times(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("a: 1\n")
    times = ["2026-01-02T03:04:05+00:00", "2026-01-02T03:09:05+00:00"]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps({"time": t, "epoch": 1}) + "\n" for t in times))
    run = Run(tmp_path)
    assert run.info is None
    info = run.adopt("finished")
    assert (info.started, info.ended, info.status) == (*times, "finished")
    assert run.adopt("cancelled") == info == told(run)
    run.start("a: 1\n")
    assert (told(run).id, told(run).started) == (info.id, times[0])


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    Run(tmp_path).start("a: 1\n")
    for broken in ("{", "[]", '{"id": 1}'):
        (tmp_path / "run.json").write_text(broken)
        with pytest.raises(UnreadableFileError, match=r"run\.json.*Remove it"):
            _ = Run(tmp_path).info


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has one time zone for all")
def test_a_time_that_does_not_say_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        times = [milliseconds(f"2026-01-02T03:04:05{zone}") for zone in ("", "+00:00", "Z", "+09:00")]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert times == [1767323045000] * 3 + [1767323045000 - 9 * 3600 * 1000]
