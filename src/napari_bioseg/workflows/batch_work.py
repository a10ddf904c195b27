"""What is done to one image of a batch, in steps that any process can take which sees the same disk."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from math import prod
from pathlib import Path

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.files import remove, whole_or_nothing, writing
from napari_bioseg.core.job import Job
from napari_bioseg.inference.runner import Engines
from napari_bioseg.models.model import Model, read_model
from napari_bioseg.workflows.batch_drift import drift_of
from napari_bioseg.workflows.batch_record import Record, Records
from napari_bioseg.workflows.batch_results import write_results
from napari_bioseg.workflows.batch_task import Task
from napari_bioseg.workflows.options import DetectOptions, SegmentOptions


def start(task: Task, job: Job | None = None) -> int:
    """Make the folder of the work, unless it was begun for the same key, and return how many tiles there are.

    Raises
    ------
    BiosegError
        The image cannot be read, or the model cannot take it.
    """
    from napari_bioseg.inference.tiled import begin

    image, key, keyed = task.image(), task.key, task.folder / "key"
    with writing(task.folder):
        if not keyed.is_file() or keyed.read_text(encoding="ascii") != key:
            remove(task.folder)
            task.folder.mkdir(parents=True)
            (task.folder / "began").write_text(str(time.time()), encoding="ascii")
            with whole_or_nothing(keyed) as part:
                part.write_text(key, encoding="ascii")
    return begin(image, _model(task), _options(task), task.checkpoint, job=job)


def run_tiles(task: Task, tiles: range | None = None, job: Job | None = None) -> None:
    """Let the network see some of the tiles, or all; those that are done are left alone.

    Raises
    ------
    BiosegError
        As for `predict`.
    Cancelled
        The job was stopped.
    """
    from napari_bioseg.inference import predict

    predict(
        task.image(),
        _model(task),
        _options(task),
        checkpoint=task.checkpoint,
        tiles=tiles,
        engines=_read_once(task.model, task.sha256)[1],
        job=job,
    )
    (job or Job()).check()


def finish(task: Task, job: Job | None = None) -> Record:
    """Write the results of an image whose tiles are done, and its record; the work folder goes.

    Raises
    ------
    BiosegError
        A result cannot be written.
    Cancelled
        The job was stopped.
    """
    job, records = job or Job(), Records(task.out)
    image = task.image()
    seconds = list(task.checkpoint.seconds().values())
    results = write_results(task, image, _model(task), _options(task), job)
    drift = drift_of(task, image, _model(task), job)
    job.stage("Checking")
    record = Record(
        name=task.item.name,
        source=str(task.item.source),
        series=task.item.series,
        key=task.key,
        files=records.hashes(results.files),
        objects=results.objects,
        fraction=results.fraction,
        pixels=prod(n for a, n in zip(image.axes, image.shape, strict=True) if a not in "CS"),
        tiles=len(seconds),
        seconds=time.time() - float((task.folder / "began").read_text(encoding="ascii")),
        network_seconds=sum(seconds),
        slowest_tile=max(seconds, default=0.0),
        **drift,
        finished=now(),
    )
    records.write(record)
    remove(task.folder)
    return record


def failed(task: Task, why: str) -> Record:
    """Keep that an image could not be worked on."""
    item = task.item
    record = Record(
        name=item.name, source=str(item.source), series=item.series, state="failed", why=why, finished=now()
    )
    Records(task.out).write(record)
    return record


def told(error: BaseException) -> str:
    """Return one line for an error, ours or not."""
    line = str(error) if isinstance(error, BiosegError) else f"{type(error).__name__}: {error}"
    return " ".join(line.split())


def now() -> str:
    """Return the time, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _options(task: Task) -> SegmentOptions | DetectOptions:
    return task.options.of_task(_model(task).card.task)


def _model(task: Task) -> Model:
    return _read_once(task.model, task.sha256)[0]


@lru_cache(maxsize=1)
def _read_once(folder: Path, sha256: str) -> tuple[Model, Engines]:  # noqa: ARG001 - another model, another key
    """Return a model, and where its engines are kept for the next image."""
    return read_model(folder), {}
