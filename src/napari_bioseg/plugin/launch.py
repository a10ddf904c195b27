"""napari opened from the command line, on a sample, images or a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari

PLUGIN = "napari-bioseg"


def open_demo() -> napari.Viewer:
    """Open a window on the embedded vessels, with the panel."""
    import napari

    viewer = napari.Viewer()
    viewer.open_sample(PLUGIN, "vessels")
    viewer.layers.selection.active = viewer.layers[0]
    viewer.window.add_plugin_dock_widget(PLUGIN, "Segment")
    return viewer


def open_window(paths: Sequence[Path]) -> napari.Viewer:
    """Open a window on images and projects."""
    import napari

    viewer = napari.Viewer()
    for path in paths:
        viewer.open(path, plugin=PLUGIN)
    return viewer


def launch(paths: Sequence[Path]) -> None:
    """Open images and projects, and stay until the window is closed.

    Raises
    ------
    ImportError
        As `launch_demo`.
    """
    import napari

    open_window(paths)
    napari.run()


def launch_demo() -> None:
    """Open the demo and stay until its window is closed.

    Raises
    ------
    ImportError
        Neither PyQt6 nor PySide6 is installed, or napari is not.
    """
    import napari

    open_demo()
    napari.run()
