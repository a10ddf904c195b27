"""A list of trainings with what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_bioseg.plugin.training_runs import RunState

HEIGHT = 110


class RunList(QListWidget):
    """One entry a run, the newest first; `chosen` comes when the user picks one."""

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Runs")
        self.setToolTip("Trainings of these projects and what the comparison with the old model says; click for curves")
        self.setWordWrap(True)
        self.setMinimumWidth(1)
        self.setSpacing(2)
        self.setFixedHeight(HEIGHT)
        self._states: tuple[RunState, ...] = ()
        self._wanted: Path | None = None
        self.currentRowChanged.connect(self._picked)

    def show_runs(self, states: Sequence[RunState]) -> None:
        """Show runs; the one chosen before stays chosen."""
        self._states = tuple(states)
        blocker = QSignalBlocker(self)
        self.clear()
        for row, state in enumerate(states):
            item = QListWidgetItem(str(state), self)
            item.setToolTip(str(state.folder))
            if state.folder == self._wanted:
                self.setCurrentRow(row)
        if not states:
            QListWidgetItem("None yet.", self).setFlags(Qt.ItemFlag.NoItemFlags)
        blocker.unblock()

    def state(self) -> RunState | None:
        """Return the chosen run, or the newest."""
        row = self.currentRow()
        if 0 <= row < len(self._states):
            return self._states[row]
        return self._states[0] if self._states else None

    def choose(self, run: Path) -> None:
        """Choose a run once it is shown."""
        self._wanted = run

    def unfinished(self) -> RunState | None:
        """Return the chosen run if it can be resumed, or the newest that can."""
        chosen = self.state()
        order = self._states if chosen is None else (chosen, *self._states)
        return next((state for state in order if state.model is None and not state.busy), None)

    def _picked(self, row: int) -> None:
        if 0 <= row < len(self._states):
            self._wanted = self._states[row].folder
            self.chosen.emit()
