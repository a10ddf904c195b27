"""What a training leaves on record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import pytest

from napari_bioseg.core import Cancelled, Job
from napari_bioseg.core.files import file_sha256
from napari_bioseg.runs import Run, known_runs
from napari_bioseg.runs.info import RunInfo
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.finetuning import FineTuneOptions, fine_tune_recipe, new_run
from napari_bioseg.workflows.training import train

MakeRecipe = Callable[..., Recipe]


def told(folder: Path) -> RunInfo:
    info = Run(folder).info
    assert info is not None
    return info


def test_a_training_says_what_it_learnt_from_and_that_it_is_done(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    train(make_recipe(), tmp_path / "run")
    info = told(tmp_path / "run")
    assert (info.kind, info.status, info.tags) == (
        "training",
        "finished",
        {"model": "squares", "image": "a.tif, b.tif, c.tif"},
    )
    sums = json.loads((tmp_path / "run" / "data.json").read_text())["sha256"]
    assert sums == {f"{n}.tif": file_sha256(tmp_path / f"{n}.tif") for a in "abc" for n in (a, f"{a}-label")}
    assert tmp_path / "run" in known_runs()
    line = next(Run(tmp_path / "run").metrics())
    assert line["system"]["cpu_utilization_percentage"] >= 0


def test_parts_are_runs_of_the_run(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    pairs = [{"image": f"{n}.tif", "label": f"{n}-label.tif", "group": n} for n in "ab"]
    train(make_recipe(pairs=pairs, folds=[["a"], ["b"]], seeds=[1, 2], ensemble="folds"), folder)
    parts = sorted(p.parent for p in folder.glob("*/*/run.json"))
    assert [p.relative_to(folder).as_posix() for p in parts] == [
        "fold-1/member-1", "fold-1/member-2", "fold-2/member-1", "fold-2/member-2",
    ]  # fmt: skip
    whole = told(folder)
    for part in parts:
        info = told(part)
        assert (info.parent, info.status, info.name) == (whole.id, "finished", f"run/{part.relative_to(folder)}")
        assert info.tags == whole.tags
    assert not {*parts} & {*known_runs()}
    assert whole.parent is None


def test_a_stop_and_an_error_are_noted_and_resuming_takes_them_back(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    folder, recipe = tmp_path / "run", make_recipe()
    job = Job(lambda progress: job.cancel() if progress.message.startswith("Training") else None)
    with pytest.raises(Cancelled):
        train(recipe, folder, job=job)
    before = told(folder)
    assert (before.status, before.why) == ("cancelled", None)
    (folder / "last.pt").write_bytes(b"no checkpoint")
    with pytest.raises(UnpicklingError):
        train(recipe, folder)
    failed = told(folder)
    assert failed.status == "failed"
    assert failed.why
    (folder / "last.pt").unlink()
    sums = (folder / "data.json").stat().st_mtime_ns
    train(recipe, folder)
    after = told(folder)
    assert (after.id, after.started, after.status, after.why) == (before.id, before.started, "finished", None)
    assert (folder / "data.json").stat().st_mtime_ns == sums


def test_a_run_of_a_project_bears_its_name(make_project: Callable[..., Path], tiny_zoo: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (3, 16, 16), np.uint8)
    project = make_project("cells", image, image > 99, [0])
    folder = new_run(project, fine_tune_recipe([project], FineTuneOptions(model="tiny2d")))
    info = told(folder)
    assert (info.status, info.tags) == (
        "running", {"model": "cells-tiny2d", "image": "cells.tif", "project": project.name},
    )  # fmt: skip
    assert folder in known_runs()
