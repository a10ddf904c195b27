"""napari's door to our reader: in a window it asks for unknown axes, elsewhere the error says how to give them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_bioseg.core.errors import IncompatibleImageError, UnknownAxesError, UnwritableFileError
from napari_bioseg.corrections.project import is_project
from napari_bioseg.plugin.box_files import holds_boxes, read_box_layers
from napari_bioseg.plugin.layers import LayerData
from napari_bioseg.plugin.reader import can_read, read_layers
from napari_bioseg.plugin.settings import remember_axes, remembered_axes

Paths = str | Sequence[str]
NOTHING: list[LayerData] = [(None,)]  # type: ignore[list-item] # napari's sign that there is nothing to add


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return a reader when every path is of a kind we read, else None."""
    paths = [path] if isinstance(path, str) else list(path)
    return read if paths and all(can_read(p) or holds_boxes(p) or is_project(p) for p in paths) else None


def read(path: Paths) -> list[LayerData]:
    """Open files or folders as layers; a CSV of boxes as a Shapes layer.

    Projects are opened in the current window, in the background: their labels need more than a layer.

    Raises
    ------
    UnreadableFileError, UnknownAxesError
        As for `napari_bioseg.open_image`.
    """
    paths = [path] if isinstance(path, str) else list(path)
    for project in filter(is_project, paths):
        open_in_window(Path(project))
    paths = [p for p in paths if not is_project(p)]
    if not paths:
        return NOTHING
    ask = ask_in_window if _has_window() else None
    try:
        return [layer for p in paths for layer in (read_box_layers(p) if holds_boxes(p) else read_layers(p, ask))]
    except UnknownAxesError:
        if ask is None:
            raise
        return NOTHING  # the user was asked and closed the dialog


def open_in_window(project: Path) -> None:
    """Open a project in napari's current window.

    Raises
    ------
    IncompatibleImageError
        There is none, e.g. in a script.
    """
    import napari

    from napari_bioseg.widgets.open_project import open_project

    viewer = napari.current_viewer()
    if viewer is None or not _has_window():
        raise IncompatibleImageError(str(project), "is a project, which needs a window", "Open it in napari")
    open_project(viewer, project)


def ask_in_window(source: Path, error: UnknownAxesError) -> str | None:
    """Ask with a dialog; remember the answer for the folder when the user wants it."""
    from napari_bioseg.widgets.axes_dialog import ask_axes
    from napari_bioseg.widgets.front import front_window
    from napari_bioseg.widgets.worker import show_problem

    answer = ask_axes(error, source.parent, front_window(), current=remembered_axes(source, len(error.shape)))
    if answer is None:
        return None
    axes, remember = answer
    if remember:
        try:
            remember_axes(source, axes)
        except UnwritableFileError as problem:
            show_problem(problem)
    return axes


def _has_window() -> bool:
    try:
        from qtpy.QtCore import QThread
        from qtpy.QtWidgets import QApplication
    except ImportError:  # no Qt binding: a headless machine
        return False
    app = QApplication.instance()
    return app is not None and QThread.currentThread() is app.thread()
