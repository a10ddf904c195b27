"""Training of several networks that make one model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from napari_bioseg.core.job import Job
from napari_bioseg.models.card import ArchitectureSpec
from napari_bioseg.models.ensemble import join
from napari_bioseg.models.network import Network
from napari_bioseg.runs import Run
from napari_bioseg.training.loop import fit
from napari_bioseg.training.network_runs import member_runs
from napari_bioseg.training.recipe import Recipe


def fit_members(recipe: Recipe, folder: Path, whole: Run, job: Job) -> tuple[ArchitectureSpec, Network]:
    """Train the networks of a recipe one after the other, each resumable, and return them as one.

    A single network has its run in `folder`, several have theirs in ``member-1``, ``member-2`` and so on there; each
    that is not the run `whole` itself is a part of it. Told that it is enough, no further one is begun.

    Raises
    ------
    RecipeError, UnreadableFileError, IncompatibleImageError, ModelNotFoundError, UnwritableFileError
        As for `fit`.
    """
    todo = member_runs(recipe, folder)
    trained: list[tuple[ArchitectureSpec, Network]] = []
    for place, part in todo:
        if trained and job.finishing:
            job.note(f"{recipe.name}: stopped with {len(trained)} of its {len(todo)} networks")
            break
        run = Run(place)
        with nullcontext() if run.folder == whole.folder else _recorded(part, run, whole):
            trained.append((part.architecture, fit(part, run, job=job)))
    return join(trained, recipe.output.activation)


@contextmanager
def _recorded(recipe: Recipe, run: Run, whole: Run) -> Iterator[None]:
    info = whole.adopt("running")
    name = f"{info.name}/{run.folder.relative_to(whole.folder).as_posix()}"
    run.start(recipe.to_yaml(), name=name, tags=info.tags, parent=info.id)
    with run.ending():
        yield
