"""Runs on disk, and their mirror in MLflow."""

from napari_bioseg.runs.environment import environment
from napari_bioseg.runs.lock import at_work
from napari_bioseg.runs.register import known_runs
from napari_bioseg.runs.run import Run, find_run

__all__ = ["Run", "at_work", "environment", "find_run", "known_runs"]
