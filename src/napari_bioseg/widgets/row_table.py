"""A plain table of figures; a click or an arrow key chooses a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget


class RowTable(QTableWidget):
    """Rows in the order they came in, or sorted by a column.

    Parameters
    ----------
    titles : sequence of str
    name : str
        For screen readers.
    tip : str
    height : int
        Pixels.
    """

    chosen = Signal(int)  # which row, as they came

    def __init__(self, titles: Sequence[str], name: str, tip: str, height: int, parent: QWidget | None = None) -> None:
        super().__init__(0, len(titles), parent)
        self.setHorizontalHeaderLabels(list(titles))
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.setFixedHeight(height)
        self.setMinimumWidth(1)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSortingEnabled(True)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(20)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setStretchLastSection(True)
        self.currentCellChanged.connect(self._tell)
        self.cellClicked.connect(self._tell)

    def show_rows(
        self, rows: Sequence[Sequence[str | float]], colors: Sequence[str | None] = (), *, sign: str = "+"
    ) -> None:
        """Show rows of words and figures.

        Parameters
        ----------
        rows : sequence of sequence of str or float
        colors : sequence of (str or None)
            Of the last cell of each; None: the theme's.
        sign : str
            ``"+"`` where the last cells are changes; empty where they are not.
        """
        blocker = QSignalBlocker(self)
        self.setSortingEnabled(False)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setRowCount(len(rows))
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                self.setItem(i, j, _Cell(value, i, sign if j == len(row) - 1 else ""))
            if i < len(colors) and colors[i] is not None:
                self.item(i, len(row) - 1).setForeground(QColor(colors[i]))
        self.setSortingEnabled(True)
        blocker.unblock()

    def _tell(self, row: int, *_: int) -> None:
        item = self.item(row, 0)
        if item is not None:
            self.chosen.emit(int(item.data(Qt.ItemDataRole.UserRole)))


class _Cell(QTableWidgetItem):
    """A word, or a figure that is sorted as such."""

    def __init__(self, value: str | float, row: int, sign: str) -> None:
        kind = ".3f" if isinstance(value, float) else "d"
        super().__init__(value if isinstance(value, str) else format(value, sign + kind))
        self._value = value
        self.setData(Qt.ItemDataRole.UserRole, row)

    def __lt__(self, other: Any) -> bool:
        return bool(self._value < other._value)
