"""A check list of the projects to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_bioseg.plugin.learning import Lesson

MOST = 4  # lines without scrolling
EMPTY = "No project is open. Open an image that you have corrected, or add its project."


class ProjectList(QListWidget):
    """One line a project with what it has to learn from; those with something verified are ticked at first."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Projects")
        self.setToolTip("Projects to learn from; tick those that count")
        self.setWordWrap(True)
        self.setMinimumWidth(1)
        self._lessons: tuple[Lesson, ...] = ()
        self._without: set[tuple[Path, str]] = set()  # unticked by the user
        self.itemChanged.connect(self._ticked)
        self.show_lessons(())

    def show_lessons(self, lessons: Sequence[Lesson]) -> None:
        """Show projects; a tick that the user took away stays away."""
        self._lessons = tuple(lessons)
        blocker = QSignalBlocker(self)
        self.clear()
        for lesson in lessons:
            item = QListWidgetItem(str(lesson), self)
            item.setToolTip(f"{lesson.project}\n{lesson.split.note}")
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            on = lesson.verified and (lesson.project, lesson.task) not in self._without
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
        if not lessons:
            QListWidgetItem(EMPTY, self).setFlags(Qt.ItemFlag.NoItemFlags)
        blocker.unblock()
        self._fit()

    def lessons(self) -> tuple[Lesson, ...]:
        """Return those that are ticked and have something to learn from."""
        ticked = (self.item(i).checkState() == Qt.CheckState.Checked for i in range(len(self._lessons)))
        return tuple(lesson for lesson, on in zip(self._lessons, ticked, strict=True) if on and lesson.verified)

    def _ticked(self, item: QListWidgetItem) -> None:
        lesson = self._lessons[self.row(item)]
        change = self._without.discard if item.checkState() == Qt.CheckState.Checked else self._without.add
        change((lesson.project, lesson.task))
        self.changed.emit()

    def _fit(self) -> None:
        line = self.fontMetrics().lineSpacing() * 2 + 8  # a long name takes two
        self.setFixedHeight(line * max(1, min(self.count(), MOST)) + 4)
