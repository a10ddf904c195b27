"""Runs on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_bioseg.core import UnreadableFileError
from napari_bioseg.runs import Run, find_run


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
    assert sorted(p.name for p in tmp_path.iterdir()) == ["environment.json", "recipe.yaml"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"recipe\.yaml"):
        find_run(tmp_path)
