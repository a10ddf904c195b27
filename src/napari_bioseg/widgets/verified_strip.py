"""One cell a slice: verified, in part, corrected or untouched; a click goes there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

HEIGHT = 22
WIDEST = 28  # pixels of one cell
# Okabe & Ito's colours, told apart by the colour-blind as well; the height of the bar says the same as its colour.
STATES: dict[str, tuple[str, float, str]] = {
    "verified": ("#009e73", 1.0, "verified"),
    "part": ("#56b4e9", 0.7, "verified in part"),
    "corrected": ("#e69f00", 0.45, "corrected, a draft"),
    "draft": ("#808080", 0.2, "as predicted, a draft"),
}


class VerifiedStrip(QWidget):
    """Shows the state of every slice.

    `set_states` gives it one word of `STATES` a slice, `set_current` the slice on screen.
    """

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.states: tuple[str, ...] = ()
        self.current = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName("Slices")
        self.setToolTip("One bar a slice: " + ", ".join(f"{words}" for _, _, words in STATES.values()) + "; click one")

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt names it
        """Return a low, wide strip."""
        return QSize(200, HEIGHT)

    def set_states(self, states: Sequence[str]) -> None:
        """Show these states."""
        self.states = tuple(states)
        self.update()

    def set_current(self, index: int) -> None:
        """Mark the slice on screen."""
        self.current = index
        self.update()

    def paintEvent(self, _event: Any) -> None:  # noqa: N802 - Qt names it
        """Draw the bars; where slices are more than pixels, the least verified of those on one pixel is drawn."""
        painter = QPainter(self)
        width, height = self._cell(), self.height() - 4
        order = list(STATES)
        columns: dict[int, str] = {}
        for i, state in enumerate(self.states):
            place = int(i * width)
            columns[place] = max(columns.get(place, state), state, key=order.index)
        for place, state in columns.items():
            color, part, _ = STATES[state]
            tall = part * height
            painter.fillRect(QRectF(place, height - tall, max(1.0, width - (width > 3)), tall), QColor(color))
        if self.states:
            painter.setPen(QPen(self.palette().windowText().color(), 2))
            x = self.current * width
            painter.drawLine(int(x), self.height() - 2, int(x + max(3.0, width - 1)), self.height() - 2)

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802 - Qt names it
        """Go to a slice."""
        index = self.index_at(event.position().x())
        if index is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(index)

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: N802 - Qt names it
        """Say what a bar stands for."""
        index = self.index_at(event.position().x())
        if index is not None:
            words = f"Slice {index}: {STATES[self.states[index]][2]}"
            QToolTip.showText(event.globalPosition().toPoint(), words, self)

    def index_at(self, x: float) -> int | None:
        """Return the slice at a place; None beside the bars."""
        index = int(x / self._cell()) if self.states else -1
        return index if 0 <= index < len(self.states) else None

    def _cell(self) -> float:
        return min(float(WIDEST), self.width() / max(1, len(self.states)))
