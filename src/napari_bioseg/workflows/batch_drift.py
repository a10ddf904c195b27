"""How unlike what its model was trained on an image of a batch is: in its record, in the run, in the model's list."""

from __future__ import annotations

from typing import Any

from napari_bioseg.core.errors import BiosegError, Cancelled
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.workflows.batch_model import Loaded
from napari_bioseg.workflows.batch_record import Record
from napari_bioseg.workflows.batch_task import Task
from napari_bioseg.workflows.drift_check import compare_with_training, profile_of
from napari_bioseg.workflows.drift_log import LoggedDrift, log_entry
from napari_bioseg.workflows.options import DriftOptions

_WINDOWS = 4  # as few as a small image has: an image of a batch is seen next to many others
_SCORE = "score"


def drift_of(task: Task, image: Image, known: Loaded, job: Job) -> dict[str, Any]:
    """Return the fields `drift`, `warning` and `causes` of a record; empty where that is not wanted or not known.

    Raises
    ------
    Cancelled
        The job was stopped.
    """
    if not task.options.drift or profile_of(known.model.card) is None:
        return {}
    own = {name: getattr(task.options, name) for name in ("device", "channel", "resample")}
    options = DriftOptions(model=task.options.model, **own)
    try:
        # Not to the end: of a small image that would be as much work as its prediction.
        found = compare_with_training(
            image, known.model, options, windows=_WINDOWS, encoder=known.encoder, to_end=False, job=job
        )
    except Cancelled:
        raise
    except BiosegError as error:  # the results are there: they are not lost for this
        job.note(f"{image.name} was not compared with the training: {error}")
        return {}
    return {
        "drift": {name: round(value, 5) for name, value in found.distances.items()} | {_SCORE: round(found.score, 4)},
        "warning": "; ".join(c.words for c in found.causes),
        "causes": tuple(cause.name for cause in found.causes),
    }


def note_drift(record: Record, model: str) -> None:
    """Add an image to the list of its model, if it was compared."""
    if record.drift:
        distances = {name: value for name, value in record.drift.items() if name != _SCORE}
        log_entry(
            model,
            LoggedDrift(
                time=record.finished,
                image=record.name,
                warned=bool(record.causes),
                score=record.drift[_SCORE],
                distances=distances,
                causes=record.causes,
            ),
        )
