"""The panel "Segment": image, model, where, go; then tune, save, or take it to the command line."""

import logging
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QApplication, QFileDialog, QVBoxLayout, QWidget

from napari_bioseg.core.errors import BiosegError, Cancelled, IncompatibleImageError, RecipeError, UnwritableFileError
from napari_bioseg.core.job import Job, Progress
from napari_bioseg.models import Card
from napari_bioseg.plugin.command import command_line
from napari_bioseg.plugin.images import check_like_file, source_of
from napari_bioseg.plugin.result import Request, Result, decode_again, run, save_result
from napari_bioseg.plugin.session import is_edited, make_request, result_of, show
from napari_bioseg.plugin.settings import change_settings, load_settings, settings_file
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.segment_view import SegmentView
from napari_bioseg.widgets.shortcuts import bind
from napari_bioseg.widgets.strokes import after_stroke
from napari_bioseg.widgets.tuner import Tuner
from napari_bioseg.widgets.warm_up import load_engine, read_zoo
from napari_bioseg.widgets.worker import Task, show_problem
from napari_bioseg.workflows.options import SegmentOptions

log = logging.getLogger("napari_bioseg")

SAVE_FILTERS = {
    "OME-Zarr, image and labels (*.ome.zarr)": ".ome.zarr",
    "OME-TIFF, labels (*.ome.tif)": ".ome.tif",
    "TIFF, labels (*.tif)": ".tif",
}
ENDING = ".ome.zarr"
NOT_REMEMBERED = {"region", "channel"}


class SegmentPanel(QWidget):
    """What the buttons of `SegmentView` do.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    shown = Signal(object)  # the Labels layer of a prediction that has arrived
    saved = Signal(object)  # list of paths

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._task: Task | None = None
        self.warm = False  # whether the engine is loaded
        self.view = view = SegmentView(napari_viewer)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(view)
        self.tuner = Tuner(napari_viewer, self)
        self._connect()
        self._restore()
        self._resample_changed()
        self._image_changed()
        zoo = Task(read_zoo, self)
        zoo.succeeded.connect(view.model.set_models)
        zoo.finished.connect(self._warm)
        zoo.start()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt names it
        """End with the dock: napari takes a closed panel out of its dock and would leave it running, unseen."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.deleteLater()

    @property
    def running(self) -> bool:
        """Whether a prediction or a save is under way."""
        return self._task is not None

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
        layer, card, view = self.view.image.layer, self.view.model.card(), self.view
        if layer is None:
            raise IncompatibleImageError("image", "none is open", "Open one first")
        if card is None:
            raise IncompatibleImageError(
                layer.name, "no model is chosen that takes it", "Choose another image or model"
            )
        return make_request(
            self._viewer, layer, card, self._options(card),
            area=view.where.area, current=view.where.current, shapes=view.where.shapes(), preview=preview,
        )  # fmt: skip

    def save(self) -> None:
        """Ask where, then save the labels."""
        source = source_of(self.view.image.layer)[0] if self.view.image.layer is not None else None
        start = _free(_out_beside(source) if source is not None else Path(f"labels{ENDING}"))
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

        self._start(work, f"Saving {out.name}", partial(self._saved, result.done))

    def copy_command(self) -> None:
        """Put the command line that does what Segment does on the clipboard."""
        try:
            text = self.command()
        except BiosegError as error:
            show_problem(error)
            return
        QApplication.clipboard().setText(text)
        self.view.say([f"Copied: {text}"])

    def command(self) -> str:
        """Return the command line that does what Segment does.

        Raises
        ------
        BiosegError
            As `request`; or the image is not in a file, or was changed since it was opened.
        """
        request = self.request()
        source, origin = source_of(self.view.image.layer)
        if source is None:
            raise IncompatibleImageError(request.name, "is not in a file", "Save the image first, then open it")
        check_like_file(self.view.image.layer)
        return command_line(source, request.options, _out_beside(source), origin)

    def _connect(self) -> None:
        view = self.view
        view.image.changed.connect(self._image_changed)
        view.model.changed.connect(self._model_changed)
        view.labels_form.changed.connect(self._retune)
        view.resample_form.changed.connect(self._resample_changed)
        view.preview_button.clicked.connect(self.preview)
        view.segment_button.clicked.connect(self.segment)
        view.save_button.clicked.connect(self.save)
        view.copy_button.clicked.connect(self.copy_command)
        view.progress.cancelled.connect(self.cancel)
        self.tuner.working.connect(self._tuning)
        self.tuner.progressed.connect(self._tuning_progressed)
        self.tuner.settled.connect(self._settled)
        self._connections = Connections(self)
        self._connections.add(self._viewer.layers.selection.events.active, self._active_changed)
        self._connections.add(self._viewer.layers.events.removed, self._layer_removed)
        bind(self._viewer, self, {"preview": self.preview, "segment": self.segment, "cancel": self.cancel})

    def _restore(self) -> None:
        remembered = {k: v for k, v in load_settings().segment.items() if k in SegmentOptions.model_fields}
        try:
            SegmentOptions.checked({"model": "any", **remembered}, str(settings_file()))
        except RecipeError as error:
            show_problem(error)
            return
        self.view.model.prefer(remembered.get("model"))
        for form in self.view.forms:
            form.set_values(remembered)

    def _warm(self) -> None:
        engine = Task(load_engine, self)
        engine.finished.connect(self._warmed)
        engine.start()

    def _warmed(self) -> None:
        self.warm = True

    def _options(self, card: Card) -> SegmentOptions:
        values: dict[str, Any] = {"model": card.name}
        for form in self.view.forms:
            values |= form.values()
        return SegmentOptions.checked(values, "options of segment")

    def _predict(self, *, preview: bool) -> None:
        if self.running:
            return
        try:
            request = self.request(preview=preview)
        except BiosegError as error:
            show_problem(error)
            return
        _remember(request.options.model_dump(mode="json", exclude=NOT_REMEMBERED))
        self.tuner.finish()
        words = f"{'Preview' if preview else 'Segment'}: {request.name}"
        self._start(partial(run, request), words, self._arrived)

    def _start(self, work: Any, words: str, then: Any) -> None:
        self._task = task = Task(work, self, expected=(Cancelled,))
        task.progressed.connect(self.view.progress.show_progress)
        task.succeeded.connect(then)
        task.failed.connect(self._failed)
        task.finished.connect(self._over)
        self.view.progress.busy(words)
        self.view.say([])
        self._update_buttons()
        task.start()

    def _over(self) -> None:
        self._task = None
        self._tuning(self.tuner.at_work)
        self._update_buttons()

    def _arrived(self, result: Result) -> None:
        after_stroke(self._viewer, self, partial(self._show, result))

    def _show(self, result: Result) -> None:
        self.tuner.finish()  # the result that was tuned meanwhile, unless its layer is used again
        layer = show(self._viewer, result)
        self.tuner.watch(layer)
        cut = () if result.done else ("Cancelled: labels are there for the part that was done.",)
        self.view.say([*cut, *result.notes])
        self._update_buttons()
        self.shown.emit(layer)
        wanted = self._retuned(result)
        if wanted != result.segmentation.options:  # a slider was moved meanwhile
            self.tuner.retune(wanted)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self.view.say([str(error)])

    def _saved(self, done: bool, paths: list[Path]) -> None:
        cut = "" if done else "; incomplete, since the segmentation was cancelled"
        self.view.say([f"Saved {', '.join(str(p) for p in paths)}{cut}"])
        self.saved.emit(paths)

    def _retune(self, _name: str) -> None:
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
        if values["threshold"] is None:
            values["threshold"] = result.model.card.output.threshold
        return SegmentOptions.checked(values, "options of segment")

    def _image_changed(self) -> None:
        image = self.view.image.image()
        self.view.model.set_image(image)
        self._model_changed()

    def _model_changed(self) -> None:
        card, image = self.view.model.card(), self.view.image.image()
        self.view.where.set_stack(image.axes if image is not None else "", card)
        if card is not None:
            self.view.show_threshold(card.output.threshold)
        self._update_buttons()

    def _resample_changed(self, _name: str = "") -> None:
        self.view.model.set_resample(bool(self.view.resample_form.values()["resample"]))

    def _active_changed(self, _event: Any = None) -> None:
        layer = self._viewer.layers.selection.active
        if layer is not None and result_of(layer) is not None:
            self.tuner.watch(layer)
            self._update_buttons()

    def _layer_removed(self, _event: Any = None) -> None:
        if self.tuner.layer is not None and self.tuner.layer not in self._viewer.layers:
            self.tuner.forget()
        self._update_buttons()

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
        _remember({**load_settings().segment, **self.view.labels_form.values()})
        self._update_buttons()

    def _update_buttons(self) -> None:
        ready = not self.running and self.view.image.image() is not None and self.view.model.card() is not None
        self.view.preview_button.setEnabled(ready)
        self.view.segment_button.setEnabled(ready)
        self.view.copy_button.setEnabled(ready)
        self.view.save_button.setEnabled(not self.running and self.tuner.layer is not None)


def _remember(options: dict[str, Any]) -> None:
    try:
        change_settings(segment=options)
    except UnwritableFileError as error:  # not worth a notification at each click: nothing is lost but convenience
        log.warning("%s; the choices are not remembered", error)


def _free(out: Path) -> Path:
    """Return a name with -2, -3 and so on before its ending, if there is such a folder already."""
    names = (out.with_name(f"{out.name.removesuffix(ENDING)}-{i}{ENDING}") for i in count(2))
    return out if not out.exists() else next(name for name in names if not name.exists())


def _out_beside(source: Path) -> Path:
    name = source.name
    for ending in (".ome.zarr", ".ome.tiff", ".ome.tif", ".nii.gz"):
        if name.lower().endswith(ending):
            return source.with_name(f"{name[: -len(ending)]}.labels{ENDING}")
    return source.with_name(f"{source.stem}.labels{ENDING}")
