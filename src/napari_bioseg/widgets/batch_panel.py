"""The panel "Batch": many images, one after the other, without a window standing still."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QTimer, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_bioseg.core.errors import BiosegError, RecipeError, UnwritableFileError
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.batch_recipes import describe, recipe_for
from napari_bioseg.plugin.settings import change_settings, load_settings
from napari_bioseg.widgets.batch_view import BatchView
from napari_bioseg.widgets.job_panel import JobPanel
from napari_bioseg.widgets.open_command import FILTER, open_paths
from napari_bioseg.widgets.queue_table import tell
from napari_bioseg.widgets.worker import show_problem
from napari_bioseg.workflows.batch_items import fixed_part
from napari_bioseg.workflows.batch_progress import Place, State

log = logging.getLogger("napari_bioseg")

OUT = "bioseg-results"
_LOOK_MS = 300  # after the last key in a line


class BatchPanel(JobPanel):
    """A queue of images, what is done to them, and their results.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, BatchView(), parent)
        view = self.view
        self._looking = QTimer(self)
        self._looking.setSingleShot(True)
        self._looking.setInterval(_LOOK_MS)
        self._looking.timeout.connect(self.show_recipe)
        self._restore()
        view.files_button.clicked.connect(self._ask_files)
        view.folder_button.clicked.connect(self._ask_folder)
        view.remove_button.clicked.connect(view.inputs.remove_chosen)
        view.pattern.returnPressed.connect(self._add_pattern)
        view.inputs.changed.connect(self._inputs_changed)
        view.way.currentIndexChanged.connect(self.show_recipe)
        view.recipe.textChanged.connect(lambda _: self._looking.start())
        view.recipe_button.clicked.connect(self._ask_recipe)
        view.out_button.clicked.connect(self._ask_out)
        view.out.textChanged.connect(lambda _: self.update_buttons())
        view.start_button.clicked.connect(self.run)
        view.pause_button.clicked.connect(self.pause)
        view.progress.cancelled.connect(self.cancel)
        view.queue.chosen.connect(self._show_place)
        view.open_button.clicked.connect(self.open_result)
        view.report_button.clicked.connect(self.open_report)
        self.show_recipe()
        self.update_buttons()

    @property
    def out(self) -> Path:
        """Where results go."""
        return Path(self.view.out.text().strip()).expanduser()

    def run(self) -> None:
        """Work on all images; what is done already is not done again, and what failed is tried again."""
        view, inputs, out = self.view, self.view.inputs.inputs, self.out
        if self.running or not inputs or not view.out.text().strip():
            return
        try:
            options = self._options()
        except BiosegError as error:
            show_problem(error)
            return
        self._remember()
        queue, scheduler = view.queue.queue, view.scheduler.text().strip() or None

        def work(job: Job) -> Any:
            from napari_bioseg.workflows.batching import batch

            report = batch(inputs, out, options, scheduler=scheduler, job=job, listener=queue.move)
            return report, tuple(job.notes)

        queue.clear()
        view.queue.follow(True)
        self.start(work, "Looking at the images", self._done)

    def pause(self) -> None:
        """Wait, or go on."""
        if self._task is None:
            return
        job = self._task.job
        if job.paused:
            job.go_on()
        else:
            job.pause()
        self.view.pause_button.setText("Go on" if job.paused else "Pause")

    def cancel(self) -> None:
        """Stop after the tile at work; Start goes on from there."""
        if self._task is not None:
            self._task.cancel()

    def open_result(self) -> None:
        """Open the chosen image with what was found in it."""
        place = self.view.queue.place
        if place is None or place.record is None:
            return
        files = [self.out / name for name in place.record.files]
        stores = [file for file in files if file.suffix == ".zarr"]
        boxes = [place.item.source, *(file for file in files if file.name.endswith(".boxes.csv"))]
        open_paths(self._viewer, stores or boxes)

    def open_report(self) -> None:
        """Open the page with all images."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str((self.out / "report.html").absolute())))

    def show_recipe(self, _index: int = 0) -> None:
        """Say what would be done."""
        view = self.view
        view.recipe_row.setVisible(view.way.currentData() == "recipe")
        try:
            view.about.setText(describe(self._options()))
        except RecipeError as error:
            view.about.setText(str(error))

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        view, free = self.view, not self.running
        ready = bool(view.inputs.inputs and view.out.text().strip())
        for part in (
            view.inputs,
            view.pattern,
            view.files_button,
            view.folder_button,
            view.remove_button,
            view.way,
            view.recipe_row,
        ):
            part.setEnabled(free)
        for part in (view.out, view.out_button, view.scheduler):
            part.setEnabled(free)
        view.start_button.setEnabled(free and ready)
        view.pause_button.setEnabled(not free)
        view.report_button.setEnabled(free and ready and (self.out / "report.html").is_file())
        self._show_place(view.queue.place)

    def ended(self) -> None:
        """Show that no batch runs."""
        super().ended()
        self.view.queue.follow(False)
        self.view.pause_button.setText("Pause")

    def _options(self) -> Any:
        return recipe_for(self.view.way.currentData(), self.view.recipe.text().strip())

    def _done(self, result: Any) -> None:
        report, notes = result
        self.view.say([str(report), *notes])

    def _failed(self, error: Exception) -> None:
        super()._failed(error)
        if self.view.queue.queue.places:
            self.view.say([f"{error}", "Start goes on from there."])

    def _show_place(self, place: Place | None) -> None:
        view = self.view
        view.open_button.setEnabled(place is not None and place.state == State.DONE)
        failed = place if place is not None and place.state == State.FAILED else None
        view.why.setText(tell(failed) if failed is not None else "")
        view.why.setVisible(failed is not None)

    def _inputs_changed(self) -> None:
        view = self.view
        if not view.out.text().strip() and view.inputs.inputs:
            view.out.setText(str(fixed_part(Path(view.inputs.inputs[0]).absolute()).parent / OUT))
        self.update_buttons()

    def _add_pattern(self) -> None:
        text = self.view.pattern.text().strip()
        self.view.pattern.clear()
        self.view.inputs.add([text] if text else [])

    def _ask_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Add images", "", FILTER)
        self.view.inputs.add(names)

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Add a folder of images, or an OME-Zarr")
        self.view.inputs.add([name] if name else [])

    def _ask_recipe(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose a recipe", "", "Recipes (*.yaml *.yml)")
        if name:
            self.view.recipe.setText(name)

    def _ask_out(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Choose the folder for the results")
        if name:
            self.view.out.setText(name)

    def _restore(self) -> None:
        remembered = load_settings().batch
        self.view.way.setCurrentIndex(max(0, self.view.way.findData(remembered.get("way"))))
        self.view.recipe.setText(str(remembered.get("recipe", "")))
        self.view.scheduler.setText(str(remembered.get("scheduler", "")))

    def _remember(self) -> None:
        view = self.view
        values = {"way": view.way.currentData(), "recipe": view.recipe.text(), "scheduler": view.scheduler.text()}
        try:
            change_settings(batch=values)
        except UnwritableFileError as error:  # not worth a notification: only convenience is lost
            log.warning("%s; the choices are not remembered", error)
