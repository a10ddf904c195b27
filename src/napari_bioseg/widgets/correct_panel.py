"""The panel "Correct": every stroke is kept, tools save strokes, and slices are verified."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.corrections.change import Change
from napari_bioseg.corrections.history import History
from napari_bioseg.corrections.project import ENDING, LABELS
from napari_bioseg.editing.tools import TOOLS
from napari_bioseg.plugin.correcting import begin, go_on, show_correction, start_of
from napari_bioseg.plugin.correction import Correction, correction_of, tell_problems
from napari_bioseg.plugin.images import source_of
from napari_bioseg.plugin.projects import held_projects, layer_open, projects_of
from napari_bioseg.plugin.writer import write_labels
from napari_bioseg.widgets.changes_control import ChangesControl
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.correct_view import CorrectView
from napari_bioseg.widgets.job_panel import JobPanel
from napari_bioseg.widgets.layer_keys import LayerKeys
from napari_bioseg.widgets.next_control import NextControl
from napari_bioseg.widgets.open_project import open_project
from napari_bioseg.widgets.shortcuts import KEYS
from napari_bioseg.widgets.strokes import after_stroke
from napari_bioseg.widgets.tool_control import ToolControl
from napari_bioseg.widgets.verify_control import VerifyControl
from napari_bioseg.widgets.worker import show_problem

STATE_MS = 500
SAVE_FILTERS = {"OME-TIFF (*.ome.tif)": ".ome.tif", "OME-Zarr (*.ome.zarr)": ".ome.zarr"}


class CorrectPanel(JobPanel):
    """What the controls of `CorrectView` do.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    """

    opened = Signal(object)  # the layer of a correction that has been opened
    saved = Signal(object)  # list of paths

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, CorrectView(napari_viewer), parent)
        self.correction: Correction | None = None
        self.tools = ToolControl(napari_viewer, self.view, self)
        self.verify = VerifyControl(napari_viewer, self.view, self)
        self.changes = ChangesControl(napari_viewer, self.view, self)
        self.next = NextControl(napari_viewer, self.view, self)
        self._keys = LayerKeys(self)
        self._timer = QTimer(self)
        self._timer.setInterval(STATE_MS)
        self._timer.timeout.connect(self._show_state)
        self._connect()
        self._active_changed()

    def start_correcting(self) -> None:
        """Store the chosen labels in a project, and open them to be corrected."""
        layer = self.view.labels.layer()
        if layer is None or self.running:
            return
        try:
            start = start_of(self._viewer, layer, self.view.image.layer())
        except BiosegError as error:
            show_problem(error)
            return
        self.start(partial(begin, start), f"Saving {layer.name}", partial(self._opened, layer))

    def go_on(self) -> None:
        """Open the last correction of the chosen image."""
        folder = self._project()
        if folder is None or self.running:
            return
        layer = layer_open(self._viewer, folder, LABELS)
        if layer is not None:
            self._viewer.layers.selection.active = layer
        else:
            work = partial(go_on, folder, None, held_projects(self._viewer.layers))
            self.start(work, f"Opening {folder.name}", partial(self._opened, None))

    def open_project(self) -> None:
        """Ask for a project, and open its image and its last correction."""
        name = QFileDialog.getExistingDirectory(self, f"Open project (a folder whose name ends in {ENDING})")
        if name:
            open_project(self._viewer, Path(name))

    def save(self) -> None:
        """Ask where, then save the corrected labels with scale and provenance."""
        name, chosen = QFileDialog.getSaveFileName(
            self, "Save corrected labels", "corrected.ome.tif", ";;".join(SAVE_FILTERS)
        )
        if name:
            self.save_to(Path(name if Path(name).suffix else name + SAVE_FILTERS.get(chosen, ".ome.tif")))

    def save_to(self, out: Path) -> None:
        """Save the corrected labels in the background."""
        if self.correction is None or self.running:
            return
        data, attributes, _ = self.correction.layer.as_layer_data_tuple()
        self.start(lambda _job: write_labels(str(out), data, attributes), f"Saving {out.name}", self._saved)

    def undo(self) -> None:
        """Take the last step back."""
        if self.correction is not None:
            tell_problems(self.correction.undo)

    def redo(self) -> None:
        """Make the step again that was taken back."""
        if self.correction is not None:
            tell_problems(self.correction.redo)

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        view, correction = self.view, self.correction
        layer, free = view.labels.layer(), not self.running
        view.start_button.setEnabled(layer is not None and correction_of(layer) is None and free)
        view.continue_button.setVisible(self._project() is not None)
        view.continue_button.setEnabled(free)
        here = correction is not None and free
        for widget in (view.save_button, view.changes, view.next_button, view.map, view.measure):
            widget.setEnabled(here)
        for widget in (view.tools, view.volume, view.verify_button, view.region_button, view.frame_button):
            widget.setEnabled(correction is not None and free and correction.writable)
        self._show_state()

    def cancel(self) -> None:
        """Stop the job under way."""
        if self._task is not None:
            self._task.cancel()

    def _connect(self) -> None:
        view = self.view
        view.start_button.clicked.connect(self.start_correcting)
        view.continue_button.clicked.connect(self.go_on)
        view.open_button.clicked.connect(self.open_project)
        view.save_button.clicked.connect(self.save)
        view.undo_button.clicked.connect(self.undo)
        view.redo_button.clicked.connect(self.redo)
        view.labels.chosen.connect(self.update_buttons)
        view.image.chosen.connect(self.update_buttons)
        view.progress.cancelled.connect(self.cancel)
        self._connections, self._following = Connections(self), Connections(self)
        self._connections.add(self._viewer.layers.selection.events.active, self._active_changed)
        self._connections.add(self._viewer.layers.events.removed, self._layer_removed)
        self._connections.add(self._viewer.dims.events.current_step, lambda _event=None: self.verify.show_current())

    def _opened(self, before: Any, correction: Correction) -> None:
        after_stroke(self._viewer, self, partial(self._show, before, correction))

    def _show(self, before: Any, correction: Correction) -> None:
        layer = show_correction(self._viewer, correction)
        if before is not None:
            before.visible = False  # it would hide what is corrected
        self._viewer.layers.selection.active = layer
        self._take(correction)
        if not correction.writable:
            self.view.say([f"Only to look at: the project {correction.project.why_read_only}."])
        self.opened.emit(layer)

    def _take(self, correction: Correction | None) -> None:
        if correction is self.correction:
            return
        self._leave()
        self.correction = correction
        for control in (self.tools, self.verify, self.changes, self.next):
            control.watch(correction)
        if correction is not None:
            tools = {tool.key: partial(self.tools.press, name) for name, tool in TOOLS.items()}
            self._keys.bind(
                correction.layer, {KEYS["verify"]: self.verify.verify_slice, KEYS["next"]: self.next.go, **tools}
            )
            self._following.add(correction.changed, self._changed)
            self._following.add(correction.marked, self.verify.show)
            self._timer.start()
        self.update_buttons()

    def _leave(self) -> None:
        self._timer.stop()
        self._keys.bind(None, {})
        self._following.close()

    def _changed(self, change: Change) -> None:
        self.verify.show()
        self.changes.follow(change)
        self._show_state()

    def _saved(self, paths: list[str]) -> None:
        self.view.say([f"Saved {', '.join(paths)}"])
        self.saved.emit(paths)

    def _show_state(self) -> None:
        correction, view = self.correction, self.view
        view.state.setVisible(correction is not None)
        history = correction.history if correction is not None and correction.writable else History()
        view.undo_button.setEnabled(bool(history.done))
        view.redo_button.setEnabled(bool(history.undone))
        if correction is not None:
            view.state.setText(describe(correction))
            view.state.setToolTip(str(correction.project.folder))

    def _active_changed(self, _event: Any = None) -> None:
        correction = correction_of(self._viewer.layers.selection.active)
        if correction is not None:
            self._take(correction)
        self.update_buttons()

    def _layer_removed(self, _event: Any = None) -> None:
        if self.correction is not None and self.correction.layer not in self._viewer.layers:
            self._take(None)
        self.changes.look()
        self.next.look()
        self.update_buttons()

    def _project(self) -> Path | None:
        layer = self.view.image.layer()
        found = projects_of(*source_of(layer), LABELS) if layer is not None else []
        return found[0] if found else None


def describe(correction: Correction) -> str:
    """Say how many steps there are, and whether they are on disk."""
    n = len(correction.history.done)
    if not correction.writable:
        state = f"read only: {correction.project.why_read_only}"
    else:
        state = "all saved" if correction.saved_all else "being saved"
    return f"{n} step{'s' * (n != 1)}, {state}\n{correction.project.folder.name}"
