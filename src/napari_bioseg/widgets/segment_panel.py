"""The panel "Segment": image, model, where, go; then tune, save, or take it to the command line."""

from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.job import Job, Progress
from napari_bioseg.plugin.result import Request, Result, decode_again, run, save_result
from napari_bioseg.plugin.session import is_edited, make_request, result_of, show
from napari_bioseg.plugin.settings import load_settings
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.drift_watch import DriftWatch
from napari_bioseg.widgets.kind_watch import KindWatch
from napari_bioseg.widgets.model_panel import ModelPanel
from napari_bioseg.widgets.segment_view import SegmentView
from napari_bioseg.widgets.shortcuts import bind
from napari_bioseg.widgets.strokes import after_stroke
from napari_bioseg.widgets.tuner import Tuner
from napari_bioseg.widgets.worker import show_problem
from napari_bioseg.workflows.options import SegmentOptions

SAVE_FILTERS = {
    "OME-Zarr, image and labels (*.ome.zarr)": ".ome.zarr",
    "OME-TIFF, labels (*.ome.tif)": ".ome.tif",
    "TIFF, labels (*.tif)": ".tif",
}
ENDING = ".ome.zarr"


class SegmentPanel(ModelPanel):
    """What the buttons of `SegmentView` do.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    options = SegmentOptions
    remembered_as = "segment"
    ending = f".labels{ENDING}"

    shown = Signal(object)  # the Labels layer of a prediction that has arrived
    saved = Signal(object)  # list of paths

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, SegmentView(napari_viewer), parent)
        self.tuner = Tuner(napari_viewer, self)
        self.drift = DriftWatch(napari_viewer, self)
        self.kind = KindWatch(napari_viewer, self)
        self._connect()
        self.restore()
        self.resample_changed()
        self._image_changed()
        self.look_for_models()

    def preview(self) -> None:
        """Segment the visible region of the current plane."""
        self._predict(preview=True)

    def segment(self) -> None:
        """Segment what the panel says."""
        self._predict(preview=False)

    def cancel(self) -> None:
        """Stop what is under way; what is done is kept, but for labels that were tuned anew, which go back."""
        if self._task is not None:
            self._task.cancel()
        elif self.tuner.cancel():
            self.view.say(["Cancelled: the labels are those from before; move a slider to tune them again."])

    def request(self, *, preview: bool = False) -> Request:
        """Return what Preview or Segment would ask of the engine now.

        Raises
        ------
        BiosegError
            Something is missing or wrong; the message says what.
        """
        layer, card = self.chosen()
        view, options = self.view, SegmentOptions.checked(self.values(card), "options of segment")
        return make_request(
            self._viewer, layer, card, options,
            area=view.where.area, current=view.where.current, shapes=view.where.shapes(), preview=preview,
        )  # fmt: skip

    def save(self) -> None:
        """Ask where, then save the labels."""
        start = _free(self.out_beside(f"labels{ENDING}"))
        name, chosen = QFileDialog.getSaveFileName(self, "Save labels", str(start), ";;".join(SAVE_FILTERS))
        if name:
            self.save_to(Path(name) if Path(name).suffix else Path(name + SAVE_FILTERS.get(chosen, ".ome.zarr")))

    def save_to(self, out: Path) -> None:
        """Save the labels of the last result, with what was painted on them, in the background."""
        layer = self.tuner.layer
        result = result_of(layer) if layer is not None else None
        if result is None or self.running:
            return
        pending, edited, labels = self.tuner.pending, is_edited(layer), layer.data

        def work(job: Job) -> list[Path]:
            settled = result if pending is None or edited else decode_again(result, pending, job)
            return save_result(settled, out, labels if settled is result else settled.labels, edited=edited, job=job)

        self.start(work, f"Saving {out.name}", partial(self._saved, result.done))

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        ready = not self.running and self.view.image.image() is not None and self.view.model.card() is not None
        self.view.preview_button.setEnabled(ready)
        self.view.segment_button.setEnabled(ready)
        self.view.copy_button.setEnabled(ready)
        self.view.recipe_button.setEnabled(ready)
        self.view.save_button.setEnabled(not self.running and self.tuner.layer is not None)

    def _connect(self) -> None:
        view = self.view
        view.image.changed.connect(self._image_changed)
        view.model.changed.connect(self._model_changed)
        view.labels_form.changed.connect(self._retune)
        view.resample_form.changed.connect(self.resample_changed)
        view.preview_button.clicked.connect(self.preview)
        view.segment_button.clicked.connect(self.segment)
        view.save_button.clicked.connect(self.save)
        view.copy_button.clicked.connect(self.copy_command)
        view.recipe_button.clicked.connect(self.save_recipe)
        view.progress.cancelled.connect(self.cancel)
        self.tuner.working.connect(self._tuning)
        self.tuner.progressed.connect(self._tuning_progressed)
        self.tuner.settled.connect(self._settled)
        self._connections = Connections(self)
        self._connections.add(self._viewer.layers.selection.events.active, self._active_changed)
        self._connections.add(self._viewer.layers.events.removed, self._layer_removed)
        bind(self._viewer, self, {"preview": self.preview, "segment": self.segment, "cancel": self.cancel})

    def _predict(self, *, preview: bool) -> None:
        if self.running:
            return
        try:
            request = self.request(preview=preview)
        except BiosegError as error:
            show_problem(error)
            return
        self.remember(request.options.model_dump(mode="json"))
        self.tuner.finish()
        words = f"{'Preview' if preview else 'Segment'}: {request.name}"
        self.start(partial(run, request, look=self.drift.look(request)), words, self._arrived)

    def ended(self) -> None:
        """Show that no job runs, or that labels are being tuned."""
        self._tuning(self.tuner.at_work)

    def _arrived(self, result: Result) -> None:
        after_stroke(self._viewer, self, partial(self._show, result))

    def _show(self, result: Result) -> None:
        self.tuner.finish()  # the result that was tuned meanwhile, unless its layer is used again
        layer = show(self._viewer, result)
        self.tuner.watch(layer)
        cut = () if result.done else ("Cancelled: labels are there for the part that was done.",)
        self.view.say([*cut, *result.notes])
        self.update_buttons()
        self.shown.emit(layer)
        wanted = self._retuned(result)
        if wanted != result.segmentation.options:  # a slider was moved meanwhile
            self.tuner.retune(wanted)

    def _saved(self, done: bool, paths: list[Path]) -> None:
        cut = "" if done else "; incomplete, since the segmentation was cancelled"
        self.view.say([f"Saved {', '.join(str(p) for p in paths)}{cut}"])
        self.saved.emit(paths)

    def _retune(self, name: str) -> None:
        card = self.view.model.card()
        if name == "instances" and card is not None:
            self.view.show_own(card.output)
        layer = self.tuner.layer
        result = result_of(layer) if layer is not None else None
        if result is None:
            return
        try:
            self.tuner.retune(self._retuned(result))
        except BiosegError as error:
            show_problem(error)

    def _retuned(self, result: Result) -> SegmentOptions:
        values = {**result.segmentation.options.model_dump(), **self.view.labels_form.values()}
        return SegmentOptions.checked(values, "options of segment").resolved(result.model.card.output.decision)

    def _image_changed(self) -> None:
        image = self.view.image.image()
        self.view.model.set_image(image)
        self._model_changed()

    def _model_changed(self) -> None:
        card, image = self.view.model.card(), self.view.image.image()
        self.view.where.set_stack(image.axes if image is not None else "", card)
        if card is not None:
            self.view.show_own(card.output)
        self.update_buttons()

    def _active_changed(self, _event: Any = None) -> None:
        layer = self._viewer.layers.selection.active
        if layer is not None and result_of(layer) is not None:
            self.tuner.watch(layer)
            self.update_buttons()

    def _layer_removed(self, _event: Any = None) -> None:
        if self.tuner.layer is not None and self.tuner.layer not in self._viewer.layers:
            self.tuner.forget()
        self.update_buttons()

    def _tuning(self, on: bool) -> None:
        if not self.running:
            if on:
                self.view.progress.busy("Updating the whole volume")
            else:
                self.view.progress.idle()

    def _tuning_progressed(self, progress: Progress) -> None:
        if not self.running and self.tuner.at_work:
            self.view.progress.show_progress(progress)

    def _settled(self, _layer: Any) -> None:
        self.remember({**load_settings().segment, **self.view.labels_form.values()})
        self.update_buttons()


def _free(out: Path) -> Path:
    """Return a name with -2, -3 and so on before its ending, if there is such a folder already."""
    names = (out.with_name(f"{out.name.removesuffix(ENDING)}-{i}{ENDING}") for i in count(2))
    return out if not out.exists() else next(name for name in names if not name.exists())
