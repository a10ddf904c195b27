"""The check box "Show changes" of the panel "Correct": an overlay that follows the user's hand."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QObject

from napari_bioseg.corrections.change import Change
from napari_bioseg.plugin.changes_layer import Changes, show_changes
from napari_bioseg.plugin.correction import Correction
from napari_bioseg.widgets.worker import Task


class ChangesControl(QObject):
    """What the check box does.

    Parameters
    ----------
    viewer : napari.Viewer
    view : CorrectView
    parent : QWidget
    """

    def __init__(self, viewer: Any, view: Any, parent: Any) -> None:
        super().__init__(parent)
        self._viewer, self._view = viewer, view
        self._correction: Correction | None = None
        self._pending: list[Change] = []  # made while the overlay is being computed
        self.changes: Changes | None = None
        self.overlay: Any = None
        view.changes.toggled.connect(self._toggled)

    def watch(self, correction: Correction | None) -> None:
        """Show those of this one from now on, if any."""
        self._drop()
        self._pending = []
        self._correction = correction
        self._toggled(self._view.changes.isChecked())

    def look(self) -> None:
        """Untick the box when the user has removed the overlay."""
        if self.overlay is not None and self.overlay not in self._viewer.layers:
            self._view.changes.setChecked(False)

    def follow(self, change: Change) -> None:
        """Show a step that was made or taken back."""
        if self.changes is None:
            self._pending.append(change)
            return
        self.changes.follow(change)
        self.overlay.refresh()
        self._tell()

    def _toggled(self, on: bool) -> None:
        self._drop()
        if on and self._correction is not None:
            pending: list[Change] = []
            self._pending = pending
            task = Task(partial(Changes, self._correction), self)
            task.succeeded.connect(partial(self._ready, pending))
            task.start()

    def _ready(self, pending: list[Change], changes: Changes) -> None:
        if pending is not self._pending or not self._view.changes.isChecked():
            return  # ticked again, or another correction is shown
        for change in pending:
            changes.follow(change)
        self.changes, self.overlay = changes, show_changes(self._viewer, changes)
        self._tell()

    def _drop(self) -> None:
        if self.overlay is not None and self.overlay in self._viewer.layers:
            self._viewer.layers.remove(self.overlay)
        self.changes = self.overlay = None
        self._tell()

    def _tell(self) -> None:
        self._view.counts.setText(self.changes.describe() if self.changes is not None else "")
        self._view.counts.setVisible(self.changes is not None)
