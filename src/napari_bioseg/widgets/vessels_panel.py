"""The panel "Vessel check": labels, options, go; then figures, places to look at, and a table."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_bioseg.core.errors import (
    BiosegError,
    IncompatibleImageError,
    RecipeError,
    UnknownAxesError,
    UnwritableFileError,
)
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.images import set_axes
from napari_bioseg.plugin.places import go_to
from napari_bioseg.plugin.settings import change_settings, load_settings, settings_file
from napari_bioseg.plugin.vessel_result import VesselRequest, VesselResult, make_vessel_request, reuse, run_vessel_check
from napari_bioseg.widgets.axes_dialog import ask_axes
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.job_panel import JobPanel
from napari_bioseg.widgets.ring_clicks import RingClicks
from napari_bioseg.widgets.strokes import after_stroke
from napari_bioseg.widgets.vessels_view import NOTHING, VesselsView, figures_of
from napari_bioseg.widgets.worker import show_problem
from napari_bioseg.workflows.vessel_check import VesselOptions

log = logging.getLogger("napari_bioseg")

SAVE_FILTER = "Tables as CSV (*.csv)"


class VesselsPanel(JobPanel):
    """What the buttons of `VesselsView` do.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    shown = Signal(object)  # the result that has arrived
    saved = Signal(object)  # paths

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, VesselsView(napari_viewer), parent)
        self.result: VesselResult | None = None
        view = self.view
        view.combo.chosen.connect(self.update_buttons)
        view.check_button.clicked.connect(self.check)
        view.skeleton.toggled.connect(self._show_skeleton)
        view.table.chosen.connect(self._go)
        view.save_button.clicked.connect(self.save)
        view.progress.cancelled.connect(self.cancel)
        self._rings = RingClicks(self, self._ring_clicked)
        self._connections = Connections(self)
        self._connections.add(napari_viewer.layers.events.removed, self._layer_removed)
        self._restore()
        self.update_buttons()

    def check(self) -> None:
        """Check the chosen labels; asks what their dimensions are where nobody has said."""
        if self.running:
            return
        try:
            request = self.request()
        except UnknownAxesError as error:
            layer, answer = self.view.combo.layer(), ask_axes(error, None, self)
            if answer is not None:
                set_axes(layer, answer[0])
                self.check()
            return
        except BiosegError as error:
            show_problem(error)
            return
        self._remember(request.options)
        self.start(partial(run_vessel_check, request), f"Vessel check: {request.name}", self._arrived)

    def cancel(self) -> None:
        """Stop what is under way; time points that are done by then are shown."""
        if self._task is not None:
            self._task.cancel()

    def request(self) -> VesselRequest:
        """Return what Check would do now.

        Raises
        ------
        BiosegError
            There are no labels, their axes are unknown, or an option is wrong.
        """
        layer = self.view.combo.layer()
        if layer is None:
            raise IncompatibleImageError(
                "vessel check", "there are no labels", "Segment an image first, or open labels"
            )
        return make_vessel_request(layer, VesselOptions.checked(self.view.form.values(), "options of the vessel check"))

    def save(self) -> None:
        """Ask where, then save the tables."""
        name, _ = QFileDialog.getSaveFileName(self, "Save tables", "vessels.csv", SAVE_FILTER)
        if name:
            self.save_to(Path(name) if Path(name).suffix else Path(name + ".csv"))

    def save_to(self, out: Path) -> None:
        """Save the tables of the last check, in the background."""
        result = self.result
        if result is None or self.running:
            return

        def work(_job: Job) -> tuple[Path, Path]:
            from napari_bioseg.workflows.vessel_tables import write_csv

            return write_csv(result.report, out)

        self.start(work, f"Saving {out.name}", self._saved)

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        self.view.check_button.setEnabled(not self.running and self.view.combo.layer() is not None)
        self.view.save_button.setEnabled(not self.running and self.result is not None)

    def _arrived(self, result: VesselResult) -> None:
        after_stroke(self._viewer, self, partial(self._show, result))

    def _show(self, result: VesselResult) -> None:
        layers = self._viewer.layers
        self.result = None  # the layers of the last check may go
        self.result = result = reuse(layers, result)
        self._show_skeleton(self.view.skeleton.isChecked())
        if result.found not in layers:
            self._viewer.add_layer(result.found)
        self._rings.watch(result.found)
        # The labels stay active: the next thing to do is to paint.
        checked = next((v for v in layers if v.name == result.name), None)
        layers.selection.active = checked if checked is not None else result.found
        self.view.table.show_findings(result.rows, movie="T" in result.report.image.axes)
        self.view.figures.setText(figures_of(result.report))
        cut = () if result.report.done else ("Cancelled: only time points that were done are shown.",)
        self.view.say([*cut, *result.notes])
        self.update_buttons()
        self.shown.emit(result)

    def _show_skeleton(self, on: bool) -> None:
        if self.result is None:
            return
        if self.result.lines not in self._viewer.layers:
            if not on:
                return
            self._viewer.add_layer(self.result.lines)
        self.result.lines.visible = on

    def _go(self, row: int) -> None:
        if self.result is not None:
            go_to(self._viewer, self.result.found, self.result.places[row])

    def _ring_clicked(self, point: int) -> None:
        result = self.result
        if result is not None and len(result.found.data) == len(result.rows):  # no hand added or deleted any
            self.view.table.choose(point)

    def _saved(self, paths: tuple[Path, Path]) -> None:
        self.view.say([f"Saved {paths[0]} and {paths[1].name}"])
        self.saved.emit(paths)

    def _layer_removed(self, _event: Any = None) -> None:
        if self.result is not None and self.result.found not in self._viewer.layers:
            self.result = None
            self._rings.watch(None)
            self.view.table.show_findings((), movie=False)
            self.view.figures.setText(NOTHING)
            self.update_buttons()

    def _restore(self) -> None:
        remembered = load_settings().vessels
        try:
            VesselOptions.checked(remembered, str(settings_file()))
        except RecipeError as error:
            show_problem(error)
            return
        self.view.form.set_values(remembered)

    def _remember(self, options: VesselOptions) -> None:
        try:
            change_settings(vessels=options.model_dump(mode="json"))
        except UnwritableFileError as error:  # not worth a notification: only convenience is lost
            log.warning("%s; the choices are not remembered", error)
