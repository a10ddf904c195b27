"""A project opened in the window: its image, and the labels as they were left."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari_bioseg.core.job import Job
from napari_bioseg.plugin.correcting import go_on, held_projects, images_of_project, show_correction
from napari_bioseg.plugin.correction import Correction
from napari_bioseg.plugin.layers import LayerData
from napari_bioseg.widgets.open_command import add_layers, owner
from napari_bioseg.widgets.worker import Task

PLUGIN = "napari-bioseg"


def open_project(viewer: Any, folder: Path) -> Task:
    """Open a project in a worker, then show it, with the panel "Correct" beside it.

    A lost image is told; the labels are opened all the same.
    """

    def labels() -> None:
        task = Task(partial(_labels, folder, held_projects(viewer.layers)), owner())
        task.succeeded.connect(partial(_show, viewer))
        task.start()

    def image(_job: Job) -> list[LayerData]:
        return images_of_project(folder)

    task = Task(image, owner())
    task.succeeded.connect(partial(add_layers, viewer))
    task.finished.connect(labels)
    return task.start()


def _labels(folder: Path, held: tuple[Any, ...], job: Job) -> Correction:
    return go_on(folder, None, held, job)


def _show(viewer: Any, correction: Correction) -> None:
    layer = show_correction(viewer, correction)
    viewer.layers.selection.active = layer
    if hasattr(viewer, "window"):
        viewer.window.add_plugin_dock_widget(PLUGIN, "Correct")
