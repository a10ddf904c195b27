"""Progress with the time left, and Cancel."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_bioseg.core.job import Progress


class ProgressRow(QWidget):
    """A bar with words in it, and a button that is there while a job runs."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = QProgressBar()
        self.bar.setToolTip("What is being done, and how long it will take")
        self.bar.setMinimumHeight(20)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop after the tile at work; what is done is kept")
        self.cancel_button.clicked.connect(self._cancel)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar, 1)
        layout.addWidget(self.cancel_button)
        self.idle()

    def busy(self, words: str) -> None:
        """Show that something is under way."""
        self.bar.setRange(0, 0)
        self.bar.setFormat(words)
        self.cancel_button.setEnabled(True)

    def show_progress(self, progress: Progress) -> None:
        """Show where the job stands."""
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        self.bar.setFormat(str(progress))

    def idle(self, words: str = "Ready") -> None:
        """Show that nothing runs."""
        self.bar.setRange(0, 1)
        self.bar.setValue(0)
        self.bar.setFormat(words)
        self.cancel_button.setEnabled(False)

    def _cancel(self) -> None:
        self.cancel_button.setEnabled(False)
        self.bar.setFormat("Stopping after this tile…")
        self.cancelled.emit()
