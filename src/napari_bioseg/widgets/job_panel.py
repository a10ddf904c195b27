"""What all panels have in common: one job at a time with progress and Cancel, and an end with their dock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.job import Job
from napari_bioseg.widgets.worker import Task


class JobPanel(QWidget):
    """A panel around a view that has ``progress`` and ``say``.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    view : QWidget
    """

    def __init__(self, napari_viewer: napari.Viewer, view: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._task: Task | None = None
        self.view = view
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(view)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt names it
        """End with the dock: napari takes a closed panel out of its dock and would leave it running, unseen."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.deleteLater()

    @property
    def running(self) -> bool:
        """Whether a job is under way."""
        return self._task is not None

    def update_buttons(self) -> None:
        """Enable what can be pressed now."""
        raise NotImplementedError

    def start(self, work: Callable[[Job], Any], words: str, then: Callable[[Any], None]) -> None:
        """Run a job outside the GUI thread, and hand what it brings to `then`."""
        self._task = task = Task(work, self, expected=(Cancelled,))
        task.progressed.connect(self.view.progress.show_progress)
        task.succeeded.connect(then)
        task.failed.connect(self._failed)
        task.finished.connect(self._over)
        self.view.progress.busy(words)
        self.view.say([])
        self.update_buttons()
        task.start()

    def ended(self) -> None:
        """Show that no job runs."""
        self.view.progress.idle()

    def _over(self) -> None:
        self._task = None
        self.ended()
        self.update_buttons()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self.view.say([str(error)])
