"""The list of runs in the user's data folder."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from napari_bioseg.runs import Run, known_runs


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BIOSEG_RUNS", str(tmp_path / "data"))
    return tmp_path / "data"


def test_each_run_is_listed_once_and_while_it_is_there(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert known_runs() == ()
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "a"):
        Run(Path(name)).start("x: 1\n")
    assert known_runs() == (tmp_path / "a", tmp_path / "b")
    assert len((data / "runs.jsonl").read_text().splitlines()) == 2
    shutil.rmtree(tmp_path / "a")
    assert known_runs() == (tmp_path / "b",)


def test_a_part_of_a_run_is_not_listed(tmp_path: Path) -> None:
    Run(tmp_path / "a" / "fold-1").start("x: 1\n", parent="of a")
    assert known_runs() == ()


def test_a_line_that_a_crash_has_cut_takes_no_other_with_it(tmp_path: Path, data: Path) -> None:
    Run(tmp_path / "a").start("x: 1\n")
    with (data / "runs.jsonl").open("a") as stream:
        stream.write('{"fol')
    Run(tmp_path / "b").start("x: 1\n")
    assert known_runs() == (tmp_path / "a", tmp_path / "b")


def test_a_list_that_cannot_be_written_stops_no_run(
    tmp_path: Path, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING, "napari_bioseg"):
        Run(tmp_path / "a").start("x: 1\n")
    assert "cannot be written" in caplog.text
    assert (tmp_path / "a" / "run.json").is_file()
