"""A table of findings; a click goes to one."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_bioseg.metrics.vessel_findings import Finding

HEIGHT = 190
TITLES = {
    "kind": "Break: two ends that face each other; loop: a short ring; cavity: background inside a vessel",
    "score": "How much speaks for it, 0 to 1; not comparable between kinds",
    "T": "Frame, from 0",
    "what": "Why it is listed",
}


class FindingTableModel(QAbstractTableModel):
    """Findings, by kind and score at first."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._cells: list[tuple[Any, ...]] = []
        self._order: list[int] = []
        self.titles: tuple[str, ...] = ("kind", "score", "what")

    def set_findings(self, rows: tuple[tuple[int, Finding], ...], *, movie: bool) -> None:
        """Show findings, each with its frame; `movie`: with a column for it."""
        self.beginResetModel()
        self.titles = ("kind", "score", "T", "what") if movie else ("kind", "score", "what")
        self._cells = [(f.kind, f.score, t, f.reason) if movie else (f.kind, f.score, f.reason) for t, f in rows]
        self._order = list(range(len(rows)))
        self.endResetModel()

    def finding(self, line: int) -> int:
        """Return which finding a line shows."""
        return self._order[line]

    def line_of(self, finding: int) -> int:
        """Return which line shows a finding."""
        return self._order.index(finding)

    def rowCount(self, _parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt names it
        """Return how many findings there are."""
        return len(self._cells)

    def columnCount(self, _parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt names it
        """Return how many columns there are."""
        return len(self.titles)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows; the reason, which is cut in a narrow panel, as its tooltip."""
        cells = self._cells[self._order[index.row()]]
        if role == Qt.ItemDataRole.DisplayRole:
            value = cells[index.column()]
            return f"{value:.2f}" if isinstance(value, float) else str(value)
        return cells[-1] if role == Qt.ItemDataRole.ToolTipRole else None

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Return the title of a column, or what it holds."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.titles):
            return None
        title = self.titles[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        return TITLES[title] if role == Qt.ItemDataRole.ToolTipRole else None

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; -1 for the order in which they came."""
        self.beginResetModel()
        self._order = list(range(len(self._cells)))
        if 0 <= column < len(self.titles):
            down = order == Qt.SortOrder.DescendingOrder
            self._order.sort(key=lambda i: self._cells[i][column], reverse=down)
        self.endResetModel()


class FindingTable(QTableView):
    """The table; a click or an arrow key chooses a finding."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.findings = FindingTableModel(self)
        self.setModel(self.findings)
        self.setToolTip("Places to look at; click on one to go there, on a title to sort")
        self.setAccessibleName("Findings")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSortingEnabled(True)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setStretchLastSection(True)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(20)
        self.setMinimumHeight(HEIGHT)
        self.selectionModel().currentRowChanged.connect(self._tell)
        self.clicked.connect(self._tell)

    def show_findings(self, rows: tuple[tuple[int, Finding], ...], *, movie: bool) -> None:
        """Show findings as `FindingTableModel.set_findings` does, in their own order."""
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.findings.set_findings(rows, movie=movie)

    def choose(self, finding: int) -> None:
        """Mark the line of a finding; nothing is signalled."""
        with QSignalBlocker(self):
            self.selectRow(self.findings.line_of(finding))

    def _tell(self, index: QModelIndex, _before: QModelIndex | None = None) -> None:
        if index.isValid():
            self.chosen.emit(self.findings.finding(index.row()))
