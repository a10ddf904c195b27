"""Runs that are parts of another one."""

from __future__ import annotations

from pathlib import Path

from napari_bioseg.runs import Run
from napari_bioseg.runs.parts import with_parts


def test_a_part_at_any_depth_stands_for_the_whole(tmp_path: Path) -> None:
    whole = Run(tmp_path / "run")
    whole.start("a: 1\n")
    assert whole.info is not None
    names = ("fold-1", "fold-2/member-1", "fold-2/member-2")
    parts = [tmp_path / "run" / name for name in names]
    for part in parts:
        Run(part).start("a: 1\n", parent=whole.info.id)
    Run(tmp_path / "run" / "another").start("a: 1\n")
    Run(tmp_path / "run" / "fold-3").folder.joinpath("run.json").write_text("{")
    for given in ([whole.folder], parts[:1], parts[2:], [*parts, whole.folder]):
        assert with_parts(given) == [whole.folder, *parts]


def test_a_part_whose_whole_is_not_around_it_stands_alone(tmp_path: Path) -> None:
    Run(tmp_path / "run" / "fold-1").start("a: 1\n", parent="gone")
    assert with_parts([tmp_path / "run" / "fold-1"]) == [tmp_path / "run" / "fold-1"]
