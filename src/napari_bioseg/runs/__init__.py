"""Runs on disk."""

from napari_bioseg.runs.run import Run, environment, find_run

__all__ = ["Run", "environment", "find_run"]
