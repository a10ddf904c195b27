"""Looking at old and new, in the panel "Compare": blink, curtain, and going to where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QObject, QTimer

from napari_bioseg.plugin.comparison_layers import Compared, go_to_region, remove_compared, show_compared
from napari_bioseg.plugin.images import same_layer
from napari_bioseg.plugin.places import current_position
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.workflows.comparison_result import Comparison, Plane

HALF = 500
"""Milliseconds that each of both is shown: a change a second."""


class CompareLook(QObject):
    """What the controls below the table of regions do, and the layers that they show.

    Parameters
    ----------
    viewer : napari.Viewer
    view : CompareView
    parent : QWidget
    """

    def __init__(self, viewer: Any, view: Any, parent: Any) -> None:
        super().__init__(parent)
        self._viewer, self._view = viewer, view
        self._compared: tuple[Compared, ...] = ()
        self._cut: set[tuple[int, Plane]] = set()
        self.timer = QTimer(self)
        self.timer.setInterval(HALF)
        self.timer.timeout.connect(self._turn)
        view.blink.toggled.connect(self._blink)
        view.curtain.toggled.connect(self._draw)
        view.edge.valueChanged.connect(self._draw)
        self._connections = Connections(parent)
        self._connections.add(viewer.dims.events.current_step, self._draw)
        self._connections.add(viewer.layers.events.removed, self._removed)
        self._enable()

    @property
    def shown(self) -> bool:
        """Whether there are layers of a comparison."""
        return bool(self._compared)

    def show_comparison(self, comparison: Comparison) -> None:
        """Lay old, new and the truth on their images, and go to the largest change."""
        self.clear()
        self._compared = show_compared(self._viewer, comparison)
        self._enable()
        if comparison.regions:
            first = comparison.regions[0]
            self.go(first.image, first.plane)

    def clear(self) -> None:
        """Take the layers away."""
        compared, self._compared = self._compared, ()
        self._cut.clear()
        if compared:
            remove_compared(self._viewer)
        self._enable()

    def toggle_blink(self) -> None:
        """Begin or end to blink, as the key does."""
        if self._compared:
            self._view.blink.toggle()

    def go(self, image: str, plane: Plane, box: tuple[int, int, int, int] | None = None) -> None:
        """Go to a part of a plane of an image, by its name in the comparison."""
        for compared in self._compared:
            if any(shown.image == image for shown in compared.planes.values()):
                go_to_region(self._viewer, compared.image, plane, box)

    def _blink(self, on: bool) -> None:
        if on:
            self.timer.start()
            self._turn()
        else:
            self.timer.stop()
            self._see(old=True, new=True)

    def _turn(self) -> None:
        old = any(compared.layers["old"].visible for compared in self._compared)
        new = any(compared.layers["new"].visible for compared in self._compared)
        # Both at first: then the new one, since the old one is what the user knows.
        self._see(old=not old, new=old or not new)

    def _see(self, *, old: bool, new: bool) -> None:
        for compared in self._compared:
            compared.layers["old"].visible, compared.layers["new"].visible = old, new

    def _draw(self, _event: Any = None) -> None:
        """Hang the curtain on the plane on screen, or take it away from all."""
        on = self._view.curtain.isChecked()
        for i, compared in enumerate(self._compared):
            if on:
                plane = self._plane(compared)
                compared.draw(plane, self._view.edge.value() / 100)
                self._cut.add((i, plane))
        if not on:
            for i, plane in self._cut:
                self._compared[i].draw(plane, None)
            self._cut.clear()
        self._view.edge.setEnabled(on)

    def _plane(self, compared: Compared) -> Plane:
        position = current_position(self._viewer, compared.layers["old"])
        return tuple(position[:-2])

    def _removed(self, event: Any) -> None:
        mine: Sequence[Any] = [layer for c in self._compared for layer in (c.image, *c.layers.values())]
        if any(same_layer(event.value, layer) for layer in mine):
            self.clear()

    def _enable(self) -> None:
        labelled = self.shown and all(compared.labelled for compared in self._compared)
        for box, on in ((self._view.blink, self.shown), (self._view.curtain, labelled)):
            box.setEnabled(on)
            if not on:
                box.setChecked(False)
        self._view.edge.setEnabled(labelled and self._view.curtain.isChecked())
