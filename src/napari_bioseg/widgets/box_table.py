"""A table of boxes that makes its cells as they come into view, so that thousands cost nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_bioseg.core.boxes import Boxes

HEIGHT = 190
PLACES = {"T": "frame", "Z": "z"}
TIPS = {
    "T": "Frame, from 0",
    "Z": "Plane, from 0",
    "y": "Centre, pixels",
    "x": "Centre, pixels",
    "h": "Height, pixels",
    "w": "Width, pixels",
    "conf.": "Confidence; ✎ where drawn or changed by hand",
}
"""What the columns hold, by their titles; short, for the panel is narrow."""


class BoxTableModel(QAbstractTableModel):
    """Boxes, with the rows of the layer that they come from."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._columns: list[tuple[str, npt.NDArray[Any], str]] = []  # title, values, format
        self._order = self.rows = np.empty(0, np.int64)
        self._hand = np.empty(0, bool)
        self._sorted: tuple[int, bool] = (-1, False)

    def set_boxes(self, rows: npt.NDArray[np.int64], boxes: Boxes, axes: str) -> None:
        """Show boxes.

        Parameters
        ----------
        rows : ndarray of int
            ``(N,)``, where each is in its layer.
        boxes : Boxes
            N of them.
        axes : str
            Of the layer: a frame and a Z are shown where it has them.
        """
        self.beginResetModel()
        places = [(a, getattr(boxes, PLACES[a]), "d") for a in axes if a in PLACES]
        self._columns = [
            *places,
            ("y", boxes.centre[:, 0], ".1f"),
            ("x", boxes.centre[:, 1], ".1f"),
            ("h", boxes.size[:, 0], ".1f"),
            ("w", boxes.size[:, 1], ".1f"),
            ("conf.", boxes.confidence, ".2f"),
        ]
        self.rows, self._hand = rows, boxes.hand
        self._put_in_order()
        self.endResetModel()

    def layer_row(self, line: int) -> int:
        """Return which row of the layer a line of the table shows."""
        return int(self.rows[self._order[line]])

    def line_of(self, layer_row: int) -> int | None:
        """Return the line that shows a row of the layer; None when none does."""
        found = np.flatnonzero(self.rows[self._order] == layer_row)
        return int(found[0]) if len(found) else None

    def rowCount(self, _parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt names it
        """Return how many boxes there are."""
        return len(self.rows)

    def columnCount(self, _parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt names it
        """Return how many columns there are."""
        return len(self._columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        if role == Qt.ItemDataRole.DisplayRole:
            title, values, how = self._columns[index.column()]
            i = self._order[index.row()]
            return "✎" if title == "conf." and self._hand[i] else format(values[i], how)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Return the title of a column, or what it holds."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self._columns):
            return None
        title = self._columns[section][0]
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        return TIPS[title] if role == Qt.ItemDataRole.ToolTipRole else None

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        self.beginResetModel()
        self._sorted = column, order == Qt.SortOrder.DescendingOrder
        self._put_in_order()
        self.endResetModel()

    def _put_in_order(self) -> None:
        column, descending = self._sorted
        self._order = np.arange(len(self.rows))
        if 0 <= column < len(self._columns):
            self._order = np.argsort(self._columns[column][1], kind="stable")
            self._order = self._order[::-1] if descending else self._order


class BoxTable(QTableView):
    """The table; a click or an arrow key chooses a box."""

    chosen = Signal(int)  # row of the layer; also again, by a click on the chosen line

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes = BoxTableModel(self)
        self.setModel(self.boxes)
        self.setToolTip("Boxes above the thresholds; click on one to go there, on a title to sort")
        self.setAccessibleName("Boxes")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSortingEnabled(True)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setMinimumSectionSize(24)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(20)
        self.setMinimumHeight(HEIGHT)
        self.selectionModel().currentRowChanged.connect(self._moved)
        self.clicked.connect(self._tell)
        self.boxes.modelReset.connect(lambda: self.choose(self._row))
        self._row: int | None = None
        self._following = False

    def choose(self, layer_row: int | None) -> None:
        """Mark the line of a row of the layer, or none; nothing is signalled, and sorting keeps it."""
        self._row = layer_row
        line = None if layer_row is None else self.boxes.line_of(layer_row)
        self._following = True
        if line is None:
            self.selectionModel().clear()
        else:
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            self.selectionModel().setCurrentIndex(self.boxes.index(line, 0), flags)
            self.scrollTo(self.boxes.index(line, 0))
        self._following = False

    def _moved(self, current: QModelIndex, _before: QModelIndex) -> None:
        if not self._following and current.isValid():
            self._tell(current)

    def _tell(self, index: QModelIndex) -> None:
        self._row = self.boxes.layer_row(index.row())
        self.chosen.emit(self._row)
