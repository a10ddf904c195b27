"""The panel "Drift": whether a model knows such images, why not, what helps, and how it was over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import napari
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.drift_entries import distance_rows, remedy, verdict
from napari_bioseg.plugin.first_look import Checked
from napari_bioseg.plugin.images import image_of_layer
from napari_bioseg.plugin.session import model_image
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.drift_remedies import apply_remedy
from napari_bioseg.widgets.drift_view import UNKNOWN, DriftView
from napari_bioseg.widgets.model_panel import ModelPanel
from napari_bioseg.widgets.shortcuts import bind
from napari_bioseg.widgets.worker import Task, show_problem
from napari_bioseg.workflows.options import DriftOptions

if TYPE_CHECKING:
    from napari_bioseg.workflows.drift_log import LoggedDrift, Shift

History = tuple[tuple["LoggedDrift", ...], "Shift | None"]


class DriftPanel(ModelPanel):
    """What the buttons of `DriftView` do.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    options = DriftOptions
    remembered_as = "drift"

    shown = Signal(object)  # Checked, once it is on screen
    listed = Signal(object)  # what was checked for the model, once it is on screen

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, DriftView(napari_viewer), parent)
        self.checked: Checked | None = None
        self._history_of: str | None = None
        self._connect()
        self.restore()
        self.resample_changed()
        self._image_changed()
        self._show(None)
        self.look_for_models()

    def check(self) -> None:
        """Compare the chosen image with what the chosen model was trained on."""
        if self.running:
            return
        try:
            layer, card = self.chosen()
            image, channel = model_image(self._viewer, layer)
            options = DriftOptions.checked({**self.values(card), "channel": channel}, "options of drift")
        except BiosegError as error:
            show_problem(error)
            return
        self.remember(options.model_dump(mode="json"))

        def work(job: Job) -> Checked:
            from napari_bioseg.models import load_model
            from napari_bioseg.workflows.drift_check import compare_with_training
            from napari_bioseg.workflows.drift_log import log_drift

            job.stage(f"Loading {card.name}")
            drift = compare_with_training(image, load_model(card.name), options, job=job)
            log_drift(drift)
            return Checked(layer, card, drift)

        self.start(work, f"Drift: {layer.name}", self._arrived)

    def cancel(self) -> None:
        """Stop what is under way."""
        if self._task is not None:
            self._task.cancel()

    def show_checked(self, checked: Checked) -> None:
        """Show what was found before."""
        self.view.model.prefer(checked.card.name)
        self.view.image.combo.choose(checked.layer)
        self._arrived(checked)

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        ready = self.view.image.image() is not None and self.view.model.card() is not None
        self.view.check_button.setEnabled(ready and not self.running)

    def _connect(self) -> None:
        view = self.view
        view.image.changed.connect(self._image_changed)
        view.model.changed.connect(self._model_changed)
        view.resample_form.changed.connect(self.resample_changed)
        view.check_button.clicked.connect(self.check)
        view.causes.pressed.connect(self._fix)
        view.progress.cancelled.connect(self.cancel)
        self._connections = Connections(self)
        if hasattr(self._viewer, "theme"):
            self._connections.add(self._viewer.events.theme, self._show_theme)
        bind(self._viewer, self, {"check_drift": self.check, "cancel_check": self.cancel})

    def _arrived(self, checked: Checked) -> None:
        self._show(checked if checked.layer in self._viewer.layers else None)
        self._read_history(checked.card.name)

    def _show(self, checked: Checked | None) -> None:
        self.checked, view = checked, self.view
        view.figures.setVisible(checked is not None)
        if checked is None:
            view.verdict.setText(UNKNOWN)
            view.causes.show_causes(())
            return
        drift, image = checked.drift, image_of_layer(checked.layer)
        view.verdict.setText(verdict(drift))
        view.causes.show_causes([(cause.words, remedy(cause, checked.card, image)) for cause in drift.causes])
        view.table.show_distances(distance_rows(drift))
        view.plots.show_drift(drift)
        self.shown.emit(checked)

    def _fix(self, row: int) -> None:
        if self.checked is not None:
            apply_remedy(self._viewer, self, self.checked, self.checked.drift.causes[row])

    def _image_changed(self) -> None:
        self.view.model.set_image(self.view.image.image())
        self._model_changed()

    def _model_changed(self) -> None:
        card, checked = self.view.model.card(), self.checked
        if checked is not None and not checked.is_of(self.view.image.layer, card or checked.card):
            self._show(None)
        if card is not None and card.name != self._history_of:
            self._read_history(card.name)
        self.update_buttons()

    def _read_history(self, model: str) -> None:
        def work(_job: Job) -> History:
            from napari_bioseg.workflows.drift_log import find_shift, read_drift_log

            entries = read_drift_log(model)
            return entries, find_shift(entries)

        def show(history: History) -> None:
            if model == self._history_of:  # else another model was chosen meanwhile
                self.view.history.show_log(*history)
                self.listed.emit(history[0])

        self._history_of = model
        task = Task(work, self)
        task.succeeded.connect(show)
        task.start()

    def _show_theme(self, _event: Any) -> None:
        self.view.plots.show_theme(self._viewer.theme)
        self.view.history.show_theme(self._viewer.theme)
