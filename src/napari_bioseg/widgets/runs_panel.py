"""The panel "Runs": what was trained, compared and batched here, and its mirror in MLflow."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QTimer, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_bioseg.core.errors import BiosegError, UnwritableFileError
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.run_entries import RunEntry, RunReader, delete_runs, figures, side_by_side
from napari_bioseg.plugin.settings import change_settings, load_settings
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.job_panel import JobPanel
from napari_bioseg.widgets.runs_view import COLORS, STATES, RunsView
from napari_bioseg.widgets.worker import Task

log = logging.getLogger("napari_bioseg")

REFRESH_MS = 5_000
ALWAYS_MS = 60_000


class RunsPanel(JobPanel):
    """Runs of this computer, and one click to send them to a server.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    shown = Signal()
    """The runs have been read and are on screen."""
    done = Signal(str)
    """What was asked of the server has come to an end; the line says how."""

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, RunsView(napari_viewer), parent)
        self._entries: tuple[RunEntry, ...] = ()
        self._listed: list[RunEntry] = []
        self._reader = RunReader()
        self._reading: Task | None = None
        view = self.view
        remembered = load_settings().runs
        view.server.setText(str(remembered.get("server", "")))
        view.always_box.setChecked(bool(remembered.get("always", False)))
        view.search.textChanged.connect(self._list)
        view.figure.currentIndexChanged.connect(self._list)
        view.runs.picked.connect(self._show_chosen)
        view.test_button.clicked.connect(self.test)
        view.sync_button.clicked.connect(self.sync_all)
        view.chosen_button.clicked.connect(self.sync_chosen)
        view.browser_button.clicked.connect(self.open_in_browser)
        view.folder_button.clicked.connect(self.open_folder)
        view.delete_button.clicked.connect(self.ask_delete)
        view.server.editingFinished.connect(self.read)
        view.always_box.toggled.connect(self._set_always)
        view.progress.cancelled.connect(self.cancel)
        self._connections = Connections(self)
        if hasattr(napari_viewer, "theme"):
            self._connections.add(napari_viewer.events.theme, self._show_theme)
        self._refreshing = _timer(self, REFRESH_MS, self._refresh)
        self._looking = _timer(self, ALWAYS_MS, self._sync_quietly)
        self._refreshing.start()
        self._set_always(view.always_box.isChecked())
        self._list()
        self.read()

    @property
    def chosen(self) -> list[RunEntry]:
        """The chosen runs, in the order of the table."""
        return [self._listed[row] for row in self.view.runs.rows if row < len(self._listed)]

    @property
    def server(self) -> str | None:
        """The address that is asked; None: the usual one."""
        return self.view.server.text().strip() or None

    def read(self) -> None:
        """Read the runs in the background."""
        if self._reading is None:
            self._reading = task = Task(lambda _job: self._reader.read(uri), self)
            uri = self.server
            task.succeeded.connect(self._show)
            task.finished.connect(self._read_over)
            task.start()

    def test(self) -> None:
        """Ask whether the server takes runs."""

        def work(_job: Job) -> str:
            from napari_bioseg.workflows.synchronising import check_server

            return check_server(uri) or "The server takes runs."

        uri = self.server
        if not self.running:
            self._remember()
            self.start(work, "Asking the server", self._tell)

    def sync_all(self) -> None:
        """Send all runs that are not there yet."""
        self._sync(None)

    def sync_chosen(self) -> None:
        """Send the chosen runs."""
        self._sync([entry.folder for entry in self.chosen])

    def _sync(self, runs: list[Path] | None) -> None:
        def work(job: Job) -> str:
            from napari_bioseg.workflows.synchronising import sync

            return _told(sync(uri, runs, job=job))

        uri = self.server
        if not self.running:
            self._remember()
            self.start(work, "Looking for the server", self._tell)

    def cancel(self) -> None:
        """Stop after the run at work."""
        if self._task is not None:
            self._task.cancel()

    def open_in_browser(self) -> None:
        """Open the chosen run on the server."""
        page = next((entry.page for entry in self.chosen if entry.page), None)
        if page:
            QDesktopServices.openUrl(QUrl(page))

    def open_folder(self) -> None:
        """Open the folder of the chosen run in the system's file manager."""
        for entry in self.chosen[:1]:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(entry.folder)))

    def ask_delete(self) -> None:
        """Ask whether the chosen runs shall go, without the window waiting for the answer."""
        chosen = self.chosen
        if not chosen or self.running:
            return
        box = QMessageBox(self)
        box.setWindowTitle("Delete runs")
        names = "\n".join(str(entry.folder) for entry in chosen[:8])
        box.setText(f"Remove {len(chosen)} runs with their models from this computer?\n{names}")
        box.setInformativeText(" ".join(["What is on the server, or in the zoo, stays.", *_of_batches(chosen)]))
        box.setStandardButtons(QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.button(QMessageBox.StandardButton.Yes).clicked.connect(
            partial(self.delete, [entry.folder for entry in chosen])
        )
        box.finished.connect(box.deleteLater)
        box.open()

    def delete(self, folders: list[Path], *_: Any) -> None:
        """Remove runs from this computer."""

        def work(_job: Job) -> str:
            delete_runs(folders)
            return f"{len(folders)} runs are gone."

        self.start(work, "Removing", self._tell)

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        view, free, chosen = self.view, not self.running, self.chosen
        for part in (view.test_button, view.sync_button, view.server):
            part.setEnabled(free)
        view.chosen_button.setEnabled(free and bool(chosen))
        view.delete_button.setEnabled(free and bool(chosen))
        view.folder_button.setEnabled(len(chosen) == 1)
        view.browser_button.setEnabled(any(entry.page for entry in chosen))

    def ended(self) -> None:
        """Show that nothing runs, and what has become of the runs."""
        super().ended()
        self.read()

    def _failed(self, error: Exception) -> None:
        super()._failed(error)
        if isinstance(error, BiosegError):
            self._tell(str(error))

    def _tell(self, line: str) -> None:
        self.view.say([line])
        self.done.emit(line)

    def _read_over(self) -> None:
        self._reading = None

    def _refresh(self) -> None:
        if self.isVisible():
            self.read()

    def _sync_quietly(self) -> None:
        """Send what waits if the server is there; say nothing if it is not."""

        def work(job: Job) -> str | None:
            from napari_bioseg.workflows.synchronising import check_server, sync

            return None if check_server(uri) else _told(sync(uri, job=job))

        uri = self.server
        if not self.running and any(entry.state != "synced" for entry in self._entries):
            self._task = task = Task(work, self)
            task.succeeded.connect(lambda line: self._tell(line) if line else None)
            task.finished.connect(self._over)
            self.update_buttons()
            task.start()

    def _set_always(self, on: bool) -> None:
        if on:
            self._looking.start()
            self._sync_quietly()
        else:
            self._looking.stop()
        self._remember()

    def _show(self, entries: tuple[RunEntry, ...]) -> None:
        if entries != self._entries:
            self._entries = entries
            combo, wanted = self.view.figure, self.view.figure.currentText()
            combo.blockSignals(True)
            combo.clear()
            combo.addItems(figures(entries))
            combo.setCurrentIndex(max(0, combo.findText(wanted)))
            combo.blockSignals(False)
            self._list()
            if self.view.always_box.isChecked():
                self._sync_quietly()
        self.shown.emit()

    def _list(self, *_: Any) -> None:
        view, figure = self.view, self.view.figure.currentText()
        kept = {entry.folder for entry in self.chosen}
        self._listed = [entry for entry in self._entries if entry.says(view.search.text())]
        rows = [(e.name, e.began, _figure(e.last(figure)), e.state) for e in self._listed]
        view.runs.show_rows(rows, [STATES.get(entry.state) for entry in self._listed])
        view.runs.choose_rows([i for i, entry in enumerate(self._listed) if entry.folder in kept])
        self._show_chosen()

    def _show_chosen(self) -> None:
        view, chosen, figure = self.view, self.chosen[: len(COLORS)], self.view.figure.currentText()
        view.about.setText(_about(chosen[0]) if len(chosen) == 1 else _none(self._entries, chosen))
        view.about.setVisible(bool(view.about.text()))
        view.overlay.show_curves([(entry.name, entry.curves.get(figure, ())) for entry in chosen])
        view.beside.setVisible(len(chosen) == 2)
        if len(chosen) == 2:
            view.beside.show_rows(side_by_side(*chosen))
        self.update_buttons()

    def _show_theme(self, _event: Any) -> None:
        self.view.overlay.show_theme(self._viewer.theme)

    def _remember(self) -> None:
        try:
            change_settings(runs={"server": self.server or "", "always": self.view.always_box.isChecked()})
        except UnwritableFileError as error:  # not worth a notification: only convenience is lost
            log.warning("%s; the choices are not remembered", error)


def _told(report: Any) -> str:
    """Return what a sync did, in one line."""
    states = [run.state for run in report.runs]
    wrong = next((run.why for run in report.runs if run.why), report.why)
    line = f"{states.count('sent')} sent, {states.count('there already')} were there, to {report.tracking_uri}"
    missing = len(states) - states.count("sent") - states.count("there already")
    return f"{line}; {missing} not sent: {wrong}" if wrong else line


def _about(entry: RunEntry) -> str:
    info = entry.info
    words = [f"{info.kind}, {entry.status}" if info is not None else entry.status]
    if info is not None and info.why:
        words.append(info.why)
    if info is not None and info.tags:
        words.append(", ".join(f"{name} {value}" for name, value in info.tags.items()))
    if entry.why:
        words.append(f"server: {entry.why}")
    return "\n".join([*words, str(entry.folder)])


def _none(entries: tuple[RunEntry, ...], chosen: list[RunEntry]) -> str:
    if chosen:
        return ""
    return "Choose a run." if entries else "No runs yet: fine-tune, compare or start a batch."


def _of_batches(chosen: list[RunEntry]) -> list[str]:
    """Return what deleting means for batches, if there are any."""
    there = any(entry.info is not None and entry.info.kind == "batch" for entry in chosen)
    return ["The results of a batch stay too, but the same batch would begin anew."] if there else []


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _timer(parent: QWidget, interval: int, then: Any) -> QTimer:
    timer = QTimer(parent)
    timer.setInterval(interval)
    timer.timeout.connect(then)
    return timer
