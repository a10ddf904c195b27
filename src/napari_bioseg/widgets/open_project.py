"""A project opened in the window: its image, and labels and boxes as they were left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.project import BOXES, LABELS, holds, read_project
from napari_bioseg.plugin.box_correcting import go_on_boxes, show_boxes
from napari_bioseg.plugin.correcting import go_on, show_correction
from napari_bioseg.plugin.layers import LayerData
from napari_bioseg.plugin.projects import held_projects, images_of_project, layer_open
from napari_bioseg.widgets.open_command import add_layers, owner
from napari_bioseg.widgets.worker import Task, show_problem

PLUGIN = "napari-bioseg"


def open_project(viewer: Any, folder: Path) -> None:
    """Open a project in a worker, then show it, with the panel "Correct" or "Detect" beside it.

    A folder that is no project is told. So is a lost image; labels and boxes are opened all the same.
    """
    try:
        read_project(folder)
    except BiosegError as error:
        show_problem(error)
        return

    def image(_job: Job) -> list[LayerData]:
        return images_of_project(folder)

    openings = {LABELS: _labels, BOXES: _boxes}
    there = [what for what in openings if holds(folder, what)] or [LABELS]
    steps = [partial(openings[what], viewer, folder) for what in there if layer_open(viewer, folder, what) is None]
    task = Task(image, owner())
    task.succeeded.connect(partial(add_layers, viewer))
    task.finished.connect(partial(_go_on, steps))
    task.start()


def _go_on(steps: Sequence[Callable[[], Task]]) -> None:
    """Open one after the other: the first layer holds the project for the next one."""
    if steps:
        task = steps[0]()
        task.finished.connect(partial(_go_on, steps[1:]))
        task.start()


def _labels(viewer: Any, folder: Path) -> Task:
    task = Task(partial(go_on, folder, None, held_projects(viewer.layers)), owner())
    task.succeeded.connect(partial(_show, viewer, show_correction, "Correct"))
    return task


def _boxes(viewer: Any, folder: Path) -> Task:
    task = Task(partial(go_on_boxes, folder, None, held_projects(viewer.layers)), owner())
    task.succeeded.connect(partial(_show, viewer, show_boxes, "Detect"))
    return task


def _show(viewer: Any, show: Callable[[Any, Any], Any], panel: str, correction: Any) -> None:
    viewer.layers.selection.active = show(viewer, correction)
    if hasattr(viewer, "window"):
        viewer.window.add_plugin_dock_widget(PLUGIN, panel)
