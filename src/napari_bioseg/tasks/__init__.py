"""Tasks: semantic segmentation, and what later joins it."""

from napari_bioseg.tasks import detection  # noqa: F401 - registers itself
from napari_bioseg.tasks.base import TASKS, Decision, Task
from napari_bioseg.tasks.losses import LOSSES, weighted_loss
from napari_bioseg.tasks.semantic import IGNORED

__all__ = ["IGNORED", "LOSSES", "TASKS", "Decision", "Task", "weighted_loss"]
