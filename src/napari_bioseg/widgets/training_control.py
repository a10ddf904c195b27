"""A training under way, in the panel "Fine-tune": what it shows after each epoch, Pause, Stop and keep, Cancel."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QMessageBox

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.files import remove
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.training_runs import RunState, read_state


class TrainingControl(QObject):
    """What the controls do while a training runs; the training is a process, waited for in a worker.

    Parameters
    ----------
    view : FineTuneView
    parent : FineTunePanel
        Its ``start`` runs jobs.
    """

    trained = Signal(object)  # the RunState, once the model is there
    left = Signal(object)  # folder of the run, however it ended
    looked = Signal(object)  # the RunState after an epoch
    _begun = Signal(object)

    def __init__(self, view: Any, parent: Any) -> None:
        super().__init__(parent)
        self._view, self._panel = view, parent
        self.process: Any = None  # the TrainingProcess
        self._cancelled = self._discard = False
        self.question: QMessageBox | None = None
        self._begun.connect(self._show_begun)
        self.looked.connect(self.show_state)
        view.pause_button.clicked.connect(self.pause)
        view.stop_button.clicked.connect(self.stop)
        view.cancel_button.clicked.connect(self.ask)

    def begin(self, make: Callable[[], Path], words: str) -> None:
        """Train in the run that `make` returns, which is called in the worker."""
        self._cancelled = self._discard = False
        self._view.show_training(True)
        self._view.pause_button.setText("Pause")
        self._panel.start(partial(self._work, make), words, self._arrived)
        self._set_buttons(False)

    def show_state(self, state: RunState) -> None:
        """Show the curves and patches of a run, of several networks those of the one at work."""
        view = self._view
        view.pace.setText(state.pace)
        view.pace.setVisible(True)
        view.curves.show_metric(state.recipe.metrics[0])
        view.curves.show_lines(state.now.lines)
        if state.scored:
            view.curves.show_note("")
        view.preview.show_preview(state.preview)
        view.training.setVisible(True)

    def pause(self) -> None:
        """Let the training wait, or go on."""
        if self.process is None:
            return
        waits = self._view.pause_button.text() == "Pause"
        (self.process.pause if waits else self.process.go_on)()
        self._view.pause_button.setText("Continue" if waits else "Pause")
        self._view.say(["Paused. The process keeps its memory until you continue or stop."] if waits else [])

    def stop(self) -> None:
        """End after this epoch, and keep what was learnt."""
        if self.process is not None:
            self.process.stop()
            self._set_buttons(False)
            self._view.cancel_button.setEnabled(True)
            self._view.say(["Stopping after this epoch; then the new model is scored and written."])

    def ask(self) -> None:
        """Ask whether to discard the training; it goes on meanwhile."""
        if self.process is None or self.question is not None:
            return
        self.question = box = QMessageBox(self._panel)
        box.setWindowTitle("Cancel the training")
        box.setText(f"Cancel the training {self.process.folder.name}?")
        box.setInformativeText("Discarded, all that it learnt is deleted. Kept, it can be resumed later.")
        discard = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("Keep for later", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton("Go on training", QMessageBox.ButtonRole.RejectRole))
        discard.clicked.connect(lambda: self.cancel(discard=True))
        keep.clicked.connect(lambda: self.cancel(discard=False))
        box.finished.connect(self._answered)
        box.open()

    def cancel(self, *, discard: bool) -> None:
        """End the training now; its folder is removed once the process has ended, if it is to be discarded."""
        if self.process is not None:
            self._cancelled, self._discard = True, discard
            self._set_buttons(False)
            self._panel.cancel()

    def over(self) -> None:
        """Take the controls away once the job has ended, however it did."""
        self._view.show_training(False)
        if self.question is not None:
            self.question.reject()
        if self.process is not None:
            folder, self.process = self.process.folder, None
            if self._cancelled:
                kept = f"{folder.name} is kept: Resume goes on after its last epoch."
                self._view.say([f"{folder.name} was discarded." if self._discard else kept])
            self.left.emit(folder)

    def _work(self, make: Callable[[], Path], job: Job) -> tuple[RunState, tuple[str, ...]]:
        from napari_bioseg.workflows.training_process import TrainingProcess

        process = TrainingProcess(make())
        self._tell(self._begun, process)
        try:
            process.run(job, partial(self._look, process.folder))
        finally:
            if self._discard:
                remove(process.folder)
        if self._discard:
            job.check()  # it came to its end as it was cancelled
        return read_state(process.folder), tuple(job.notes)

    def _look(self, run: Path) -> None:
        """Read what an epoch left, in the thread of the process."""
        with suppress(BiosegError):  # being written: the next epoch shows it
            self._tell(self.looked, read_state(run))

    def _tell(self, signal: Any, value: Any) -> None:
        with suppress(RuntimeError):  # the panel is gone; the process ends by itself
            signal.emit(value)

    def _show_begun(self, process: Any) -> None:
        if self._panel.running:
            self.process = process
            self._set_buttons(True)

    def _arrived(self, result: tuple[RunState, tuple[str, ...]]) -> None:
        state, notes = result
        self.show_state(state)
        self._view.say([f"The new model is in {state.model}.", *notes])
        self.trained.emit(state)

    def _answered(self, _code: int) -> None:
        if self.question is not None:
            self.question.deleteLater()
            self.question = None

    def _set_buttons(self, on: bool) -> None:
        for button in (self._view.pause_button, self._view.stop_button, self._view.cancel_button):
            button.setEnabled(on)
