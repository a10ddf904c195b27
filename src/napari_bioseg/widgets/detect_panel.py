"""The panel "Detect": image, model, where, go; then thresholds, hand edits, a table, and a CSV."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.box_correction import box_correction_of
from napari_bioseg.plugin.box_result import BoxRequest, BoxResult, make_box_request, open_boxes, run_detection
from napari_bioseg.plugin.box_state import boxes_at, boxes_of, state_of
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.settings import load_settings
from napari_bioseg.postprocess.boxes import BoxSelector
from napari_bioseg.widgets.box_correct_control import BoxCorrectControl
from napari_bioseg.widgets.boxes_control import BoxesControl
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.detect_view import DetectView
from napari_bioseg.widgets.drift_watch import DriftWatch
from napari_bioseg.widgets.kind_watch import KindWatch
from napari_bioseg.widgets.model_panel import ModelPanel
from napari_bioseg.widgets.shortcuts import bind
from napari_bioseg.widgets.strokes import after_stroke
from napari_bioseg.widgets.worker import show_problem
from napari_bioseg.workflows.options import DetectOptions

OPEN_FILTER = "Boxes: CSV, YOLO text, COCO JSON (*.csv *.txt *.json)"
SAVE_FILTER = "Boxes as CSV (*.csv)"


class DetectPanel(ModelPanel):
    """What the buttons of `DetectView` do.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    options = DetectOptions
    remembered_as = "detect"
    ending = ".boxes.csv"

    shown = Signal(object)  # the Shapes layer of boxes that have arrived
    saved = Signal(object)  # path
    fitted = Signal(object)  # ThresholdFit

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, DetectView(napari_viewer), parent)
        self.boxes = BoxesControl(napari_viewer, self.view.boxes)
        self.correct = BoxCorrectControl(napari_viewer, self.view, self)
        self.drift = DriftWatch(napari_viewer, self)
        self.kind = KindWatch(napari_viewer, self)
        self._connect()
        self.restore()
        self._image_changed()
        self._active_changed()
        self.look_for_models()

    def detect(self) -> None:
        """Find boxes where the panel says."""
        if self.running:
            return
        try:
            request = self.request()
        except BiosegError as error:
            show_problem(error)
            return
        self.remember(request.options.model_dump(mode="json"))
        work = partial(run_detection, request, look=self.drift.look(request))
        self.start(work, f"Detect: {request.name}", self._arrived)

    def cancel(self) -> None:
        """Stop what is under way; boxes that were found by then are shown."""
        if self._task is not None:
            self._task.cancel()

    def request(self) -> BoxRequest:
        """Return what Detect would ask of the engine now.

        Raises
        ------
        BiosegError
            Something is missing or wrong; the message says what.
        """
        layer, card = self.chosen()
        where = self.view.where
        return make_box_request(
            self._viewer, layer, card, DetectOptions.checked(self.values(card), "options of detect"),
            area=where.area, current=where.current, shapes=where.shapes(),
        )  # fmt: skip

    def open(self) -> None:
        """Ask which file, then open its boxes onto the image."""
        name, _ = QFileDialog.getOpenFileName(self, "Open boxes", "", OPEN_FILTER)
        if name:
            self.open_from(Path(name))

    def open_from(self, path: Path) -> None:
        """Open boxes onto the image, in the background."""
        if self.running:
            return
        try:
            request = self.request()
        except BiosegError as error:
            show_problem(error)
            return
        self.start(partial(open_boxes, path, request), f"Opening {path.name}", self._arrived)

    def save(self) -> None:
        """Ask where, then save the boxes."""
        name, _ = QFileDialog.getSaveFileName(self, "Save boxes", str(self.out_beside("boxes.csv")), SAVE_FILTER)
        if name:
            self.save_to(Path(name) if Path(name).suffix else Path(name + ".csv"))

    def save_to(self, out: Path) -> None:
        """Save the boxes that are shown, in the background."""
        state = self.boxes.state
        if state is None or self.running:
            return
        boxes = boxes_of(self.boxes.layer)

        def work(_job: Job) -> Path:
            from napari_bioseg.workflows.detection import save_boxes

            save_boxes(boxes, out, state.image)
            return out

        self.start(work, f"Saving {out.name}", partial(self._saved, len(boxes), state.done))

    def fit(self) -> None:
        """Set the thresholds to those that reproduce the checked frames best."""
        state = self.boxes.state
        if state is None or self.running or not state.checked:
            return
        places = set(state.checked)
        found, options = boxes_at(state.selector.boxes, places), state.options
        truth = boxes_at(boxes_of(self.boxes.layer), places)

        def work(job: Job) -> Any:
            from napari_bioseg.workflows.detection import fit_thresholds

            return fit_thresholds(BoxSelector(found), truth, options, job=job)

        self.start(work, "Fitting thresholds", partial(self._fitted, len(places), len(truth)))

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        view = self.view
        ready = not self.running and view.image.image() is not None and view.model.card() is not None
        for button in (view.detect_button, view.open_button, view.copy_button, view.recipe_button):
            button.setEnabled(ready)
        view.save_button.setEnabled(not self.running and self.boxes.state is not None)
        self.correct.update_buttons()

    def _connect(self) -> None:
        view = self.view
        view.image.changed.connect(self._image_changed)
        view.model.changed.connect(self._model_changed)
        view.resample_form.changed.connect(self.resample_changed)
        view.detect_button.clicked.connect(self.detect)
        view.open_button.clicked.connect(self.open)
        view.save_button.clicked.connect(self.save)
        view.copy_button.clicked.connect(self.copy_command)
        view.recipe_button.clicked.connect(self.save_recipe)
        view.boxes.fit_button.clicked.connect(self.fit)
        view.progress.cancelled.connect(self.cancel)
        self.boxes.tuned.connect(self._tuned)
        self._connections = Connections(self)
        self._connections.add(self._viewer.layers.selection.events.active, self._active_changed)
        self._connections.add(self._viewer.layers.events.removed, self._layer_removed)
        actions = {"detect": self.detect, "cancel_detect": self.cancel, "check_frame": self.boxes.toggle_checked}
        bind(self._viewer, self, actions)

    def _arrived(self, result: BoxResult) -> None:
        after_stroke(self._viewer, self, partial(self._show, result))

    def _show(self, result: BoxResult) -> None:
        layer, state, wanted = result.layer, state_of(result.layer), self.view.boxes.form.values()
        for old in [v for v in self._viewer.layers if _gives_way(v, layer)]:
            self._viewer.layers.remove(old)
        self._viewer.add_layer(layer)
        self._viewer.layers.selection.active = layer
        self.boxes.watch(layer)
        if state is not None and state.provenance and wanted != self.view.boxes.form.values():
            self.boxes.set_thresholds(**wanted)  # a slider was moved meanwhile
        cut = () if state is None or state.done else ("Cancelled: boxes are there for the part that was done.",)
        self.view.say([*cut, *result.notes])
        self.update_buttons()
        self.shown.emit(layer)

    def _saved(self, count: int, done: bool, path: Path) -> None:
        cut = "" if done else "; incomplete, since the detection was cancelled"
        self.view.say([f"Saved {count} boxes to {path}{cut}"])
        self.saved.emit(path)

    def _fitted(self, frames: int, count: int, fit: Any) -> None:
        self.boxes.set_thresholds(confidence=fit.confidence, iou=fit.iou)
        self.view.boxes.plot.show_curve(fit.confidences, fit.curve)
        found = f"Confidence {fit.confidence:g}, overlap {fit.iou:g}: F1 {fit.f1:.3f}"
        self.view.say([f"{found} on {count} boxes in {frames} checked frames."])
        self.fitted.emit(fit)

    def _tuned(self) -> None:
        self.remember({**load_settings().detect, **self.view.boxes.form.values()})

    def _image_changed(self) -> None:
        self.view.model.set_image(self.view.image.image())
        self._model_changed()

    def _model_changed(self) -> None:
        card, image = self.view.model.card(), self.view.image.image()
        self.view.where.set_stack(image.axes if image is not None else "", card)
        if card is not None and self.boxes.state is None:
            self.view.boxes.show_confidence(card.output.threshold)
        self.update_buttons()

    def _active_changed(self, _event: Any = None) -> None:
        layer = self._viewer.layers.selection.active
        if layer is not None and state_of(layer) is not None:
            self.boxes.watch(layer)
            self.update_buttons()

    def _layer_removed(self, _event: Any = None) -> None:
        if self.boxes.layer is not None and self.boxes.layer not in self._viewer.layers:
            self.boxes.watch(None)
        self._model_changed()


def _gives_way(layer: Any, new: Any) -> bool:
    """Whether a layer only shows what a model found before on the same image; what a person changed stays."""
    state, arrived = state_of(layer), state_of(new)
    if state is None or arrived is None or not (state.provenance and arrived.provenance) or box_correction_of(layer):
        return False
    return bool(not state.touched and not state.checked and layer.metadata[KEY]["owner"] == new.metadata[KEY]["owner"])
