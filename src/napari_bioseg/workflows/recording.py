"""A training on record: that it runs, how it ended, and which files it learns from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_bioseg.core.files import tree_sha256, whole_or_nothing, writing
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.project import ENDING
from napari_bioseg.runs import Run, at_work
from napari_bioseg.runs.info import one_line
from napari_bioseg.training.kinds import files_of
from napari_bioseg.training.open_pairs import data_root
from napari_bioseg.training.recipe import Recipe

DATA = "data.json"


def start_training(recipe: Recipe, folder: Path) -> Run:
    """Make the run of a training, or go on with it, under the names of its model, images and projects.

    Raises
    ------
    UnreadableFileError, UnwritableFileError
        As for `Run.start`.
    """
    run = Run(folder)
    projects = [Path(pair.project).name for pair in recipe.pairs if pair.project]
    images = [Path(pair.image).name for pair in recipe.pairs if pair.image]
    named = {
        "model": (recipe.name,),
        "image": (*images, *(name.removesuffix(ENDING) for name in projects)),
        "project": projects,
    }
    tags = {tag: one_line(", ".join(dict.fromkeys(names))) for tag, names in named.items() if names}
    run.start(recipe.to_yaml(), tags=tags)
    return run


@contextmanager
def recorded(recipe: Recipe, folder: Path, job: Job) -> Iterator[Run]:
    """Keep other programs out of a run, and note when it starts, what it learns from, and how it ends.

    Raises
    ------
    UnreadableFileError, UnwritableFileError
        As for `Run.start` and `at_work`.
    """
    Run(folder)
    with at_work(folder):
        run = start_training(recipe, folder)
        with run.ending():
            _write_data(recipe, folder, job)
            yield run


def _write_data(recipe: Recipe, folder: Path, job: Job) -> None:
    """Write the sha256 of each file that a recipe names; what is verified in projects is in ``training_set.json``."""
    names = dict.fromkeys(str(n) for p in recipe.pairs for n in (*files_of(recipe, p), p.label, p.boxes) if n)
    if not names or (folder / DATA).is_file():
        return
    job.stage("Taking checksums of the data", len(names))
    sums = {}
    for name in names:
        sums[name] = tree_sha256(data_root(recipe) / name)
        job.step()
    with writing(folder / DATA), whole_or_nothing(folder / DATA) as part:
        part.write_text(json.dumps({"version": 1, "sha256": sums}, indent=1), encoding="utf-8")
