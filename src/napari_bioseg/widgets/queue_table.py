"""The queue of a batch: one row an image, however many there are."""

from __future__ import annotations

import threading
from typing import Any, TypeAlias

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, QTimer, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_bioseg.core.job import format_duration
from napari_bioseg.workflows.batch_progress import Place, State

REFRESH_MS = 150
_TITLES = ("Image", "State", "Found", "Time")
_WIDTHS = (78, 58, 62)  # of all but the first

Index: TypeAlias = QModelIndex | QPersistentModelIndex


class QueueModel(QAbstractTableModel):
    """Places of images, moved from any thread; the table is told of them now and then, in the GUI thread."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._places: list[Place] = []
        self._rows: dict[str, int] = {}
        self._moved: dict[str, Place] = {}
        self._lock = threading.Lock()

    @property
    def places(self) -> list[Place]:
        """The images, in their order, as the table shows them."""
        return self._places

    def move(self, place: Place) -> None:
        """Take in where an image stands; from any thread."""
        with self._lock:
            self._moved[place.item.name] = place

    def refresh(self) -> None:
        """Show what has moved."""
        with self._lock:
            moved, self._moved = self._moved, {}
        new = [name for name in moved if name not in self._rows]
        if new:
            self.beginInsertRows(QModelIndex(), len(self._places), len(self._places) + len(new) - 1)
            for name in new:
                self._rows[name] = len(self._places)
                self._places.append(moved[name])
            self.endInsertRows()
        rows = [self._rows[name] for name in moved]
        for name, row in zip(moved, rows, strict=True):
            self._places[row] = moved[name]
        if rows:
            self.dataChanged.emit(self.index(min(rows), 0), self.index(max(rows), len(_TITLES) - 1))

    def clear(self) -> None:
        """Begin with another batch."""
        self.beginResetModel()
        with self._lock:
            self._places, self._rows, self._moved = [], {}, {}
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008 - Qt names it, and gives the default
        """Return how many images there are."""
        return 0 if parent.isValid() else len(self._places)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: N802, B008
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:  # noqa: N802
        """Return a title."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[section]
        return None

    def data(self, index: Index, role: int = 0) -> Any:
        """Return what a cell shows, or its tooltip."""
        place = self._places[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return _cells(place)[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return tell(place)
        return None


class QueueTable(QTableView):
    """The queue; a click chooses an image."""

    chosen = Signal(object)  # Place, or None

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.queue = QueueModel(self)
        self.setModel(self.queue)
        self.setAccessibleName("Queue")
        self.setToolTip("The images of the batch; what went wrong with one stands in its tooltip and below")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setMinimumSize(1, 150)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(20)
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in enumerate(_WIDTHS, start=1):
            self.setColumnWidth(column, width)
        self.selectionModel().currentRowChanged.connect(self._tell)
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.show_now)

    def follow(self, on: bool) -> None:
        """Look at the queue now and then, for as long as a batch runs; once more at its end."""
        if on:
            self._timer.start()
        else:
            self._timer.stop()
            self.show_now()

    def show_now(self) -> None:
        """Show where the images stand."""
        self.queue.refresh()
        self._tell()

    @property
    def place(self) -> Place | None:
        """The chosen image."""
        row = self.currentIndex().row()
        return self.queue.places[row] if 0 <= row < len(self.queue.places) else None

    def _tell(self, *_: Any) -> None:
        self.chosen.emit(self.place)


def tell(place: Place) -> str:
    """Return what should be known of an image: where it is, and what went wrong."""
    why = place.record.why if place.record is not None else ""
    return f"{place.item.source}\n{why}" if why else str(place.item.source)


def _cells(place: Place) -> tuple[str, str, str, str]:
    record = place.record
    state = f"{round(100 * place.share)} %" if place.state == State.RUNNING else str(place.state)
    if record is None or record.state == "failed":
        return place.item.name, state, "", ""
    share = f"{100 * record.fraction:.1f} %" if record.fraction is not None else ""
    found = str(record.objects) if record.objects is not None else share
    return place.item.name, state, found, format_duration(record.seconds)
