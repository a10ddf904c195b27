"""Tasks: semantic segmentation, detection, classification of images, and what fits each of them."""

from collections.abc import Iterable

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.metrics.paired import FALLING
from napari_bioseg.tasks import boundary, classification, detection, semantic  # noqa: F401 - boundary registers itself
from napari_bioseg.tasks.base import TASKS, Decision, Task
from napari_bioseg.tasks.cores import mark_cores
from napari_bioseg.tasks.losses import LOSSES, weighing, weighted_loss
from napari_bioseg.tasks.semantic import IGNORED, map_labels

__all__ = [
    "IGNORED",
    "LOSSES",
    "TASKS",
    "Decision",
    "Task",
    "check_losses",
    "check_metrics",
    "default_metrics",
    "map_labels",
    "mark_cores",
    "weighing",
    "weighted_loss",
]

_METRICS: dict[str, tuple[str, ...]] = {
    "classification": tuple(classification.SCORES),
    "detection": tuple(detection.SCORES),
    "semantic": (*semantic.SCORES, *semantic.RANKED),
}
_DEFAULTS = {
    "classification": ("auroc", "accuracy", "calibration_error"),
    "detection": ("map50", "map", "f1", "count_error"),
    "semantic": ("dice", "iou", "pixel_accuracy"),
}
_LOSSES = {
    "classification": ("bce", "focal"),
    "detection": ("centres", "boxes"),
    "semantic": ("bce", "focal", "dice", "tversky", "dice_ce", "cldice", "boundary"),
}


def check_metrics(task: str, names: Iterable[str], *, chosen_by: bool = False, compared: bool = False) -> None:
    """Refuse metrics that a task does not know, before any work; tasks of other packages tell when they score.

    Parameters
    ----------
    task : str
    names : iterable of str
    chosen_by : bool
        Whether an epoch is chosen by them, so that more must be better.
    compared : bool
        Whether models are compared by them, of which nothing but the labels is kept.

    Raises
    ------
    RecipeError
        No such metric.
    """
    left_out = (FALLING if chosen_by else ()) + (semantic.RANKED if compared else ())
    several = tuple(classification.SEVERAL) if chosen_by and task == "classification" else ()
    known = [name for name in _METRICS.get(task, ()) if name not in (*left_out, *several)]
    wrong = [name for name in names if known and name not in known]
    if wrong:
        problem = f"does not exist for {task} models"
        if wrong[0] in left_out:
            problem = f"cannot {'choose: less of it is better' if chosen_by else 'compare: it needs more than labels'}"
        elif wrong[0] in several:
            problem = "cannot choose: it needs several images"
        raise RecipeError(f"metric {wrong[0]!r}", problem, f"Choose one of: {', '.join(known)}")


def default_metrics(task: str) -> tuple[str, ...]:
    """Return what is reported where nobody says what; nothing for tasks of other packages."""
    return _DEFAULTS.get(task, ())


def check_losses(task: str, names: Iterable[str]) -> None:
    """Refuse losses that are made for another task; `weighted_loss` tells of those that do not exist.

    Raises
    ------
    RecipeError
        A loss does not fit the task.
    """
    own = _LOSSES.get(task, ())
    foreign = {name for losses in _LOSSES.values() for name in losses if own and name not in own}
    wrong = [name for name in names if name in foreign]
    if wrong:
        fix = f"Give losses out of: {', '.join(own)}"
        raise RecipeError(f"loss {wrong[0]!r}", f"is not for {task} models", fix)
