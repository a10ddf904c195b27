"""What the controls for boxes do with the layer that is tuned; the network is never run."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QSignalBlocker, QTimer, Signal

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import BiosegError
from napari_bioseg.plugin.box_following import follow
from napari_bioseg.plugin.box_layer import check, tune
from napari_bioseg.plugin.box_state import (
    BoxState,
    boxes_of,
    column_of,
    kept_rows,
    middle_of,
    state_of,
    unfiltered,
)
from napari_bioseg.plugin.images import same_layer
from napari_bioseg.plugin.places import go_to, in_units_of
from napari_bioseg.postprocess.boxes import BoxOptions
from napari_bioseg.widgets.boxes_view import BoxesView
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.worker import show_problem

SETTLE_MS = 200  # without a change, before the table follows


class BoxesControl(QObject):
    """Keeps the thresholds, the layer, the counts, the plot and the table in step.

    Parameters
    ----------
    viewer : napari.Viewer
    view : BoxesView
        Its parent, too.
    """

    settled = Signal()  # the table follows again
    tuned = Signal()  # before that, when the user moved a threshold

    def __init__(self, viewer: Any, view: BoxesView) -> None:
        super().__init__(view)
        self._viewer, self._view = viewer, view
        self.layer: Any = None
        self._linking = self._moved = False
        self._watched: Connections | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        self._timer.timeout.connect(self._settle)
        view.form.changed.connect(self.tune)
        view.plot.dragged.connect(lambda value: self.set_thresholds(confidence=value))
        view.table.chosen.connect(self._go)
        view.checked.toggled.connect(self._check)
        self._connections = Connections(view)
        self._connections.add(viewer.dims.events.current_step, self._count)
        if "theme" in viewer.events.emitters:
            self._connections.add(viewer.events.theme, self._theme_changed)
        self._count()

    @property
    def state(self) -> BoxState | None:
        """What is known of the layer; None without one."""
        return state_of(self.layer) if self.layer is not None else None

    def watch(self, layer: Any) -> None:
        """Tune this layer from now on, and show its thresholds; None for no layer."""
        if same_layer(self.layer, layer):
            return
        if self._watched is not None:
            self._watched.close()
        self._watched, self.layer = None, layer
        state = self.state
        if state is not None:
            follow(layer)
            self._view.form.set_values({name: getattr(state.options, name) for name in BoxOptions.model_fields})
            self._view.show_confidence(state.own_confidence)
            self._watched = Connections(self._view)
            self._watched.add(layer.events.data, self._edited)
            self._watched.add(layer.selected_data.events.items_changed, self._selected)
        self._view.plot.show_curve([], [])
        self._settle()

    def tune(self, _name: str = "") -> None:
        """Show what the thresholds of the form keep."""
        if self.state is None:
            return
        try:
            options = BoxOptions.checked(self._view.form.values(), "thresholds")
        except BiosegError as error:
            show_problem(error)
            return
        tune(self.layer, options)
        self._moved = True
        self._count()
        self._timer.start()

    def set_thresholds(self, **values: float) -> None:
        """Move sliders, as the user does."""
        self._view.form.set_values(values)
        self.tune()

    def place(self) -> tuple[int, int]:
        """Return the frame and Z on screen."""
        state = self.state
        if state is None:
            return 0, 0
        point = in_units_of(self.layer, self._viewer.dims.point, getattr(self._viewer.dims, "units", None))
        at = dict(zip(state.axes, self.layer.world_to_data(point).tolist(), strict=True))
        return round(at.get("T", 0)), round(at.get("Z", 0))

    def toggle_checked(self) -> None:
        """Say that the frame on screen is right, or take it back."""
        if self._view.checked.isEnabled():
            self._view.checked.toggle()

    def _check(self, on: bool) -> None:
        if self.state is not None:
            check(self.layer, self.place(), on)
            self._count()
            self._timer.start()

    def _count(self, _event: Any = None) -> None:
        state = self.state
        view = self._view
        view.checked.setEnabled(state is not None and self.layer.editable)
        view.fit_button.setEnabled(state is not None and bool(state.checked))
        if state is None:
            view.counts.setText("No boxes yet: Detect finds some, Open reads them from a file.")
            return
        place, rows = self.place(), kept_rows(self.layer)
        frame, z = column_of(self.layer, "frame")[rows], column_of(self.layer, "z")[rows]
        here = int(((frame == place[0]) & (z == place[1])).sum())
        hand = int((column_of(self.layer, "candidate")[rows] < 0).sum())
        view.counts.setText(_words(state, here, len(rows), hand))
        view.plot.show_threshold(state.confidence)
        blocker = QSignalBlocker(view.checked)
        view.checked.setChecked(place in state.checked)
        blocker.unblock()

    def _settle(self) -> None:
        self._count()
        state, table = self.state, self._view.table
        if state is None:
            table.boxes.set_boxes(np.empty(0, np.int64), Boxes.none(), "YX")
            self._view.plot.show_confidences(np.empty(0))
            return
        rows = kept_rows(self.layer)
        table.boxes.set_boxes(rows, boxes_of(self.layer, rows), state.axes)
        self._view.plot.show_confidences(unfiltered(state).confidence)
        self._selected()
        if self._moved:
            self._moved = False
            self.tuned.emit()
        self.settled.emit()

    def _edited(self, _event: Any) -> None:
        self._timer.start()

    def _selected(self, *_: Any, **__: Any) -> None:
        chosen = list(self.layer.selected_data) if self.layer is not None else []
        if not self._linking:
            self._view.table.choose(int(chosen[0]) if len(chosen) == 1 else None)

    def _go(self, row: int) -> None:
        if self.state is None or row >= len(self.layer.data):
            return
        self._linking = True
        go_to(self._viewer, self.layer, middle_of(self.layer, row))
        self._viewer.layers.selection.active = self.layer
        if self.layer.mode not in ("select", "direct"):
            self.layer.mode = "select"
        self.layer.selected_data = {row}
        self._linking = False

    def _theme_changed(self, event: Any) -> None:
        self._view.plot.show_theme(event.value)


def _words(state: BoxState, here: int, everywhere: int, hand: int) -> str:
    planes = 1
    for axis in state.axes[:-2]:
        planes *= state.image.shape[state.image.axis(axis)]
    more = [f"{hand} by hand"] if hand else []
    more += [f"{len(state.checked)} checked"] if state.checked else []
    total = f"<b>{everywhere}</b> boxes"
    return " · ".join([total if planes == 1 else f"<b>{here}</b> here, {total} in {planes} frames", *more])
