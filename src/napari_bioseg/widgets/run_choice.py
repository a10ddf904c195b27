"""Which training the panel "Compare" is about: those of the images that are open, or one that was opened by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_bioseg.plugin.learning import projects_open
from napari_bioseg.plugin.training_runs import RunState, read_runs
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.worker import Task

NONE = "no training of the open images"


class RunChoice(QComboBox):
    """Trainings that came to their end, the newest first; `picked` comes when the user takes one.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    picked = Signal(object)  # its folder
    listed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._looking: Task | None = None
        self._stale = False
        self.setAccessibleName("Training")
        self.setToolTip("Trainings of the images that are open, the newest first")
        self.setMinimumContentsLength(12)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.activated.connect(self._tell)
        self._connections = Connections(self)
        self._connections.add(viewer.layers.events.inserted, self.find)
        self._connections.add(viewer.layers.events.removed, self.find)

    def run(self) -> Path | None:
        """Return the folder of the chosen training."""
        return self.currentData()

    def choose(self, run: Path) -> None:
        """Choose a training, also one of no image that is open."""
        at = self.findData(run)
        if at < 0:
            if self.run() is None:
                self.clear()
            at = self.count()
            self.addItem(run.name, run)
        self.setCurrentIndex(at)

    def find(self, _event: Any = None) -> None:
        """List the trainings once more, outside the GUI thread; the chosen one stays."""
        if self._looking is not None:
            self._stale = True
            return
        self._stale = False
        projects = projects_open(self._viewer.layers)
        self._looking = task = Task(lambda _job: read_runs(projects), self)
        task.succeeded.connect(self._list)
        task.finished.connect(self._found)
        task.start()

    def _list(self, states: tuple[RunState, ...]) -> None:
        before = self.run()
        self.clear()
        for state in (s for s in states if s.model is not None):
            self.addItem(state.folder.name, state.folder)
            self.setItemData(self.count() - 1, str(state), Qt.ItemDataRole.ToolTipRole)
        if before is not None:
            self.choose(before)
        elif not self.count():
            self.addItem(NONE, None)
        self.listed.emit()

    def _found(self) -> None:
        self._looking = None
        if self._stale:
            self.find()

    def _tell(self, _index: int) -> None:
        if self.run() is not None:
            self.picked.emit(self.run())
