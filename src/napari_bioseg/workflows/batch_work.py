"""What is done to one image of a batch, in steps that any process can take which sees the same disk."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from math import prod
from typing import Any

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.files import remove, whole_or_nothing, writing
from napari_bioseg.core.job import Job
from napari_bioseg.inference.shared import Turn
from napari_bioseg.workflows.batch_drift import drift_of
from napari_bioseg.workflows.batch_model import loaded
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
    return begin(image, loaded(task).model, _options(task), task.checkpoint, job=job)


def run_tiles(task: Task, tiles: range | None = None, *, turn: Turn | None = None, job: Job | None = None) -> None:
    """Let the network see some of the tiles, or all, when it is their turn; those that are done are left alone.

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
        loaded(task).model,
        _options(task),
        checkpoint=task.checkpoint,
        tiles=tiles,
        engines=loaded(task).engines,
        turn=turn,
        job=job,
    )
    (job or Job()).check()


def look(task: Task, job: Job | None = None) -> dict[str, Any]:
    """Return how unlike the training an image is: fields of its record.

    Raises
    ------
    Cancelled
        The job was stopped.
    """
    return drift_of(task, task.image(), loaded(task), job or Job())


def finish(task: Task, job: Job | None = None, *, began: float = 0.0, drift: dict[str, Any] | None = None) -> Record:
    """Write the results of an image whose tiles are done, and its record; the work folder goes.

    `began` is when it was its turn, in seconds since 1970, if that was later than it was opened; `drift` is what `look`
    has found, if it has looked.

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
    results = write_results(task, image, loaded(task).model, _options(task), job)
    drift = look(task, job) if drift is None else drift
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
        seconds=time.time() - max(began, float((task.folder / "began").read_text(encoding="ascii"))),
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
    return task.options.of_task(loaded(task).model.card.task)
