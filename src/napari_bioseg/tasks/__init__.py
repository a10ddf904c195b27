"""Tasks: semantic segmentation, and what later joins it."""

from collections.abc import Iterable

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.tasks import detection, semantic
from napari_bioseg.tasks.base import TASKS, Decision, Task
from napari_bioseg.tasks.losses import LOSSES, weighted_loss
from napari_bioseg.tasks.semantic import IGNORED, map_labels

__all__ = ["IGNORED", "LOSSES", "TASKS", "Decision", "Task", "check_metrics", "map_labels", "weighted_loss"]

_METRICS: dict[str, tuple[str, ...]] = {"detection": tuple(detection.SCORES), "semantic": tuple(semantic.SCORES)}


def check_metrics(task: str, names: Iterable[str]) -> None:
    """Refuse metrics that a task does not know, before any work; tasks of other packages tell when they score.

    Raises
    ------
    RecipeError
        No such metric.
    """
    known = _METRICS.get(task)
    wrong = [name for name in names if known and name not in known]
    if known and wrong:
        fix = f"Choose one of: {', '.join(known)}"
        raise RecipeError(f"metric {wrong[0]!r}", f"does not exist for {task} models", fix)
