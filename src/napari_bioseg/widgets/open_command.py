"""File → Open, with our reader, without blocking the window."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_bioseg.core.errors import UnknownAxesError
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.layers import LayerData
from napari_bioseg.plugin.reader import read_layers
from napari_bioseg.widgets.reading import ask_in_window
from napari_bioseg.widgets.worker import Task

FILTER = (
    "Images (*.tif *.tiff *.btf *.tf8 *.tf2 *.lsm *.svs *.ndpi *.stk *.scn *.qptiff *.png *.jpg *.jpeg "
    "*.nii *.gz *.mgz *.mgh *.hdr *.img);;All files (*)"
)


def open_file(napari_viewer: napari.Viewer) -> None:
    """Choose files and open them."""
    names, _ = QFileDialog.getOpenFileNames(QApplication.activeWindow(), "Open image", "", FILTER)
    for name in names:
        open_path(napari_viewer, Path(name))


def open_folder(napari_viewer: napari.Viewer) -> None:
    """Choose a folder of planes or an OME-Zarr and open it."""
    name = QFileDialog.getExistingDirectory(QApplication.activeWindow(), "Open folder of planes, or OME-Zarr")
    if name:
        open_path(napari_viewer, Path(name))


def open_path(viewer: Any, path: Path, axes: str | None = None) -> Task:
    """Open one file or folder in a worker, and add its layers; asks when the axes are not known.

    Parameters
    ----------
    viewer : napari.Viewer
    path : Path
    axes : str, optional
        The user's answer.
    """

    def answer(error: Exception) -> None:
        chosen = ask_in_window(path, error) if isinstance(error, UnknownAxesError) and axes is None else None
        if chosen is not None:
            open_path(viewer, path, chosen)

    task = Task(_reading(path, axes), owner(), expected=(UnknownAxesError,) if axes is None else ())
    task.succeeded.connect(lambda layers: add_layers(viewer, layers))
    task.failed.connect(answer)
    return task.start()


def _reading(path: Path, axes: str | None) -> Callable[[Job], list[LayerData]]:
    def read(_job: Job) -> list[LayerData]:
        return read_layers(path, None if axes is None else lambda _path, _error: axes)

    return read


def add_layers(viewer: Any, layers: list[LayerData]) -> None:
    """Add layers that a reader made."""
    for data, attributes, kind in layers:
        getattr(viewer, f"add_{kind}")(data, **attributes)


def owner() -> Any:
    """Return what a task that belongs to no panel ends with: the window, or else the application."""
    return QApplication.activeWindow() or QApplication.instance()
