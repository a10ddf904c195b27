"""napari opened on a sample with the panel "Segment" beside it: ``bioseg demo --gui``."""

from __future__ import annotations

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
