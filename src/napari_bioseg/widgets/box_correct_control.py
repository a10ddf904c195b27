"""Start correcting boxes, and go on, in the panel "Detect": every edit of the hand is kept."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.corrections.history import History
from napari_bioseg.corrections.project import BOXES
from napari_bioseg.plugin.box_correcting import begin_boxes, go_on_boxes, show_boxes, start_of_boxes
from napari_bioseg.plugin.box_correction import BoxCorrection, box_correction_of
from napari_bioseg.plugin.correction import tell_problems
from napari_bioseg.plugin.images import source_of
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.projects import held_projects, layer_open, projects_of
from napari_bioseg.widgets.strokes import after_stroke
from napari_bioseg.widgets.worker import show_problem

STATE_MS = 500


class BoxCorrectControl(QObject):
    """What the two buttons do, and the line below them.

    Parameters
    ----------
    viewer : napari.Viewer
    view : DetectView
    parent : DetectPanel
        It runs the jobs, and its ``boxes`` are corrected.
    """

    opened = Signal(object)  # the layer of a correction that has been opened

    def __init__(self, viewer: Any, view: Any, parent: Any) -> None:
        super().__init__(parent)
        self._viewer, self._view, self._panel = viewer, view, parent
        self._timer = QTimer(self)
        self._timer.setInterval(STATE_MS)
        self._timer.timeout.connect(self.show_state)
        view.start_button.clicked.connect(self.start_correcting)
        view.continue_button.clicked.connect(self.go_on)
        view.undo_button.clicked.connect(self.undo)
        view.redo_button.clicked.connect(self.redo)
        parent.boxes.tuned.connect(self._tuned)

    @property
    def correction(self) -> BoxCorrection | None:
        """Of the boxes that the panel shows."""
        return box_correction_of(self._panel.boxes.layer)

    def start_correcting(self) -> None:
        """Store the boxes in the project of their image, and record what is done to them."""
        layer = self._panel.boxes.layer
        if layer is None or self._panel.running:
            return
        try:
            start = start_of_boxes(self._viewer, layer, self._image_of(layer))
        except BiosegError as error:
            show_problem(error)
            return
        self._panel.start(partial(begin_boxes, start), f"Saving {layer.name}", self._opened)

    def go_on(self) -> None:
        """Open the last boxes of the chosen image that were corrected."""
        folder = self._project()
        if folder is None or self._panel.running:
            return
        layer = layer_open(self._viewer, folder, BOXES)
        if layer is not None:
            self._viewer.layers.selection.active = layer
        else:
            work = partial(go_on_boxes, folder, None, held_projects(self._viewer.layers))
            self._panel.start(work, f"Opening {folder.name}", self._opened)

    def undo(self) -> None:
        """Take the last edit back."""
        if self.correction is not None:
            tell_problems(self.correction.undo)
            self.show_state()

    def redo(self) -> None:
        """Make the edit again that was taken back."""
        if self.correction is not None:
            tell_problems(self.correction.redo)
            self.show_state()

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        view, free = self._view, not self._panel.running
        view.start_button.setEnabled(free and self._panel.boxes.state is not None and self.correction is None)
        view.continue_button.setVisible(self._project() is not None)
        view.continue_button.setEnabled(free)
        self.show_state()

    def show_state(self) -> None:
        """Say how many edits there are, and whether they are on disk."""
        view, correction = self._view, self.correction
        history = correction.history if correction is not None and correction.writable else History()
        for button, steps in ((view.undo_button, history.done), (view.redo_button, history.undone)):
            button.setVisible(correction is not None)
            button.setEnabled(bool(steps))
        line = view.state
        line.setVisible(correction is not None)
        if correction is None:
            self._timer.stop()
            return
        self._timer.start()
        line.setText(describe(correction))
        line.setToolTip(str(correction.project.folder))

    def _opened(self, correction: BoxCorrection) -> None:
        after_stroke(self._viewer, self, partial(self._show, correction))

    def _show(self, correction: BoxCorrection) -> None:
        layer = show_boxes(self._viewer, correction)
        self._viewer.layers.selection.active = layer
        self._panel.boxes.watch(layer)
        if not correction.writable:
            self._view.say([f"Only to look at: the project {correction.project.why_read_only}."])
        self._panel.update_buttons()
        self.opened.emit(layer)

    def _tuned(self) -> None:
        correction = self.correction
        if correction is not None:
            tell_problems(correction.note)

    def _image_of(self, layer: Any) -> Any:
        """Return the image that boxes lie on; the chosen one where it is not known, or was removed."""
        owner = layer.metadata[KEY].get("owner")
        named = [v for v in self._viewer.layers if v.name == owner]
        return named[0] if named else self._view.image.layer

    def _project(self) -> Path | None:
        layer = self._view.image.layer
        found = projects_of(*source_of(layer), BOXES) if layer is not None else []
        return found[0] if found else None


def describe(correction: BoxCorrection) -> str:
    """Say how many edits there are, and whether they are on disk."""
    n = len(correction.history.done)
    if not correction.writable:
        state = f"read only: {correction.project.why_read_only}"
    else:
        state = "all saved" if correction.saved_all else "being saved"
    return f"{n} edit{'s' * (n != 1)}, {state}\n{correction.project.folder.name}"
