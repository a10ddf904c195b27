"""`batch`: many images through one model, resumable to the byte."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import BrokenModelError
from napari_bioseg.core.files import remove_leftovers, whole_or_nothing, writing
from napari_bioseg.core.job import Job
from napari_bioseg.models import find_model
from napari_bioseg.models.card import Card, check_weights, read_card
from napari_bioseg.runs import Run, at_work
from napari_bioseg.runs.system import Machine
from napari_bioseg.workflows.batch_drift import note_drift
from napari_bioseg.workflows.batch_here import Ended, run_here
from napari_bioseg.workflows.batch_items import Item, find_items
from napari_bioseg.workflows.batch_options import BatchOptions
from napari_bioseg.workflows.batch_outcome import BatchReport, recorded
from napari_bioseg.workflows.batch_progress import BatchProgress, Listener
from napari_bioseg.workflows.batch_record import RUN, Record, Records
from napari_bioseg.workflows.batch_task import Task

Work = Callable[[Sequence[Task], BatchProgress, Ended], None]

_OURS = (".ome.zarr", ".csv", ".parquet", ".json", ".png", ".html", ".yaml", ".model")


def batch(
    inputs: Sequence[str | Path],
    out: str | Path,
    options: BatchOptions | None = None,
    *,
    scheduler: str | None = None,
    job: Job | None = None,
    listener: Listener | None = None,
    **changes: Any,
) -> BatchReport:
    """Segment many images, or find objects in them, and write what was found, tables of it and a report.

    What is done is not done again: the same call goes on after a stop, a crash or ``kill -9``, tile by tile, to the
    same bytes. An image counts as done when its files hold what was written, by their sha256, and neither the
    image, nor the weights, nor an option, nor the version has changed since. One bad image does not stop the others.

    Parameters
    ----------
    inputs : sequence of str or Path
        Files, folders and patterns, see `find_items`.
    out : str or Path
        The folder to write to; made when it is not there. For an image NAME: ``NAME.ome.zarr`` (image and labels)
        and ``NAME.objects.csv`` and ``.parquet``, of vessels also ``NAME.vessels`` and ``NAME.branches``; or
        ``NAME.boxes.csv`` and ``.parquet``. For all: ``summary.csv`` and ``.parquet``, ``report.html``, and ``run/``.
    options : BatchOptions, optional
    scheduler : str, optional
        Address of a dask scheduler, or what stands for one, see `batch_connection.connect`; none: this machine.
    job : Job, optional
        For progress, for pausing and for stopping.
    listener : callable, optional
        Told of every image that moves in the queue, see `BatchProgress`.
    **changes
        Fields of `BatchOptions`, e.g. ``model="membranes-unet2d"``.

    Raises
    ------
    Cancelled
        The job was stopped; what was finished is kept.
    RecipeError, UnreadableFileError, ModelNotFoundError, BrokenModelError
        Before anything is computed.
    UnwritableFileError
        The folder cannot be written, or another batch is at work in it.
    WorkerError
        The scheduler cannot be reached, or the queue takes no job, before anything is written; or it is gone.
    """
    began, job, target = time.monotonic(), job or Job(), Path(out).expanduser().absolute()
    options = BatchOptions.checked({**(options.model_dump() if options else {}), **changes}, "options of batch")
    folder = find_model(options.model)
    card = read_card(folder)
    options.of_task(card.task)
    items = find_items(inputs, target, planes=options.planes, job=job)
    with _workers(scheduler) as work:
        with writing(target):
            (target / RUN).mkdir(parents=True, exist_ok=True)
        with at_work(target / RUN):
            _sweep(target, items)
            run, model = Run(target / RUN), _kept_model(folder, card, target / RUN / "model")
            tasks = [Task(item, target, options, model, card.sha256) for item in items]
            progress = BatchProgress(items, job, listener)
            with recorded(run, inputs, options, card, progress, began):
                left = _not_done(tasks, progress)
                before = len(tasks) - len(left)
                progress.open()
                work(left, progress, partial(_ended, progress, run, card.name))
    records = tuple(place.record for place in progress.places if place.record is not None)
    return BatchReport(target, records, before, time.monotonic() - began)


@contextmanager
def _workers(scheduler: str | None) -> Iterator[Work]:
    """Yield what works on the images: this computer, or a cluster, which must answer before anything is written."""
    if scheduler is None:
        yield run_here
        return
    from napari_bioseg.workflows.batch_cluster import run_on_cluster
    from napari_bioseg.workflows.batch_connection import connect

    with ExitStack() as stack:
        yield partial(run_on_cluster, connect(scheduler, stack))


def _sweep(out: Path, items: Sequence[Item]) -> None:
    """Remove what a batch that was killed left half written; this one alone works in the folder."""
    records = Records(out)
    results = {(out / item.name).parent for item in items} | {records.path(item.name).parent for item in items}
    for folder in results | {out, out / RUN}:
        remove_leftovers(folder, _OURS)


def _not_done(tasks: Sequence[Task], progress: BatchProgress) -> list[Task]:
    """Return the tasks that are left, by what the files of the others hold."""
    left = []
    progress.job.stage("Checking what is done", len(tasks))
    for task in tasks:
        records = Records(task.out)
        record = records.read(task.item.name)
        try:
            done = records.is_done(record, task.key)
        except OSError:
            done = False  # what is wrong with the image is told when its turn comes
        if done and record is not None:
            progress.found(task.item, record)
        else:
            left.append(task)
        progress.job.step()
    return left


def _ended(progress: BatchProgress, run: Run, model: str, task: Task, record: Record) -> None:
    figures = {"tiles", "pixels", "seconds", "network_seconds", "slowest_tile", "objects", "fraction", "why"}
    figures |= {"drift", "warning"}
    rate = {"pixels_per_second": record.pixels / record.seconds} if record.seconds else {}
    known = record.model_dump(include=figures)
    run.log(image=record.name, state=record.state, **known, **rate, system=_machine().figures())
    note_drift(record, model)
    progress.end(task.item, record)


@cache
def _machine() -> Machine:
    return Machine()


def _kept_model(folder: Path, card: Card, kept: Path) -> Path:
    """Keep the model that a batch works with beside its results: a promotion in between must not mix two of them."""
    try:
        if read_card(kept).sha256 == card.sha256:
            check_weights(kept, card)
            return kept
    except BrokenModelError:
        pass
    with writing(kept), whole_or_nothing(kept) as part:
        shutil.copytree(folder, part)
    return kept
