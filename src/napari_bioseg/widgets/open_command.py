"""File → Open, with our reader, without blocking the window."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_bioseg.core.errors import UnknownAxesError
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.images import from_our_reader, source_of
from napari_bioseg.plugin.layers import LayerData
from napari_bioseg.plugin.reader import read_layers
from napari_bioseg.widgets.front import front_window
from napari_bioseg.widgets.reading import ask_in_window
from napari_bioseg.widgets.worker import Task

FILTER = (
    "Images (*.tif *.tiff *.btf *.tf8 *.tf2 *.lsm *.svs *.ndpi *.stk *.scn *.qptiff *.png *.jpg *.jpeg "
    "*.nii *.gz *.mgz *.mgh *.hdr *.img);;All files (*)"
)


def open_file(napari_viewer: napari.Viewer) -> None:
    """Choose files and open them."""
    names, _ = QFileDialog.getOpenFileNames(front_window(), "Open image", "", FILTER)
    open_paths(napari_viewer, [Path(name) for name in names])


def open_folder(napari_viewer: napari.Viewer) -> None:
    """Choose a folder of planes or an OME-Zarr and open it."""
    name = QFileDialog.getExistingDirectory(front_window(), "Open folder of planes, or OME-Zarr")
    if name:
        open_path(napari_viewer, Path(name))


def open_paths(viewer: Any, paths: list[Path]) -> None:
    """Open files one after the other, so that what is asked of one is answered before the next."""
    if paths:
        open_path(viewer, paths[0], then=partial(open_paths, viewer, paths[1:]))


def open_path(
    viewer: Any,
    path: Path,
    axes: str | None = None,
    *,
    again: bool = False,
    then: Callable[[], None] = lambda: None,
) -> Task:
    """Open one file or folder in a worker, and add its layers; asks when the axes are not known.

    Parameters
    ----------
    viewer : napari.Viewer
    path : Path
    axes : str, optional
        The user's answer.
    again : bool
        Ask even where the answer is remembered, and put the layers in place of those that the file gave before.
    then : callable
        What to do when the file is open, or was given up.
    """

    def add(layers: list[LayerData]) -> None:
        if again:
            remove_layers(viewer, path)
        add_layers(viewer, layers)

    def answer(error: Exception) -> None:
        chosen = ask_in_window(path, error) if isinstance(error, UnknownAxesError) and axes is None else None
        if chosen is None:
            then()
        else:
            open_path(viewer, path, chosen, again=again, then=then)

    def read(_job: Job) -> list[LayerData]:
        return read_layers(path, axes=axes, recall=not again)

    task = Task(read, owner(), expected=(UnknownAxesError,) if axes is None else ())
    task.succeeded.connect(add)
    task.succeeded.connect(lambda _layers: then())
    task.failed.connect(answer)
    return task.start()


def remove_layers(viewer: Any, path: Path) -> None:
    """Remove the image layers that our reader made of a file."""
    for layer in list(viewer.layers):
        if from_our_reader(layer) and source_of(layer)[0] == path:
            viewer.layers.remove(layer)


def add_layers(viewer: Any, layers: list[LayerData]) -> None:
    """Add layers that a reader made."""
    for data, attributes, kind in layers:
        getattr(viewer, f"add_{kind}")(data, **attributes)


def owner() -> Any:
    """Return what a task that belongs to no panel ends with: the window, or else the application."""
    return front_window() or QApplication.instance()
