"""Small pieces that every panel is built of."""

from __future__ import annotations

from typing import TypeAlias

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget
from superqt import QCollapsible

Part: TypeAlias = QWidget | QHBoxLayout


def scroll(parts: list[Part]) -> QScrollArea:
    """Return parts below each other, as wide as the widest, with a vertical scroll bar when the window is low."""
    body = QWidget()
    layout = QVBoxLayout(body)
    layout.setContentsMargins(0, 0, 4, 0)
    layout.setSpacing(5)
    for part in parts:
        add(layout, part)
    layout.addStretch(1)
    area = QScrollArea()
    area.setWidget(body)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    # Never cut on the right: as wide as the widest row, beside a vertical scroll bar when the window is low.
    area.setMinimumWidth(max(300, body.minimumSizeHint().width() + area.verticalScrollBar().sizeHint().width()))
    return area


def add(layout: QVBoxLayout, part: Part) -> None:
    """Add a widget or a row."""
    if isinstance(part, QWidget):
        layout.addWidget(part)
    else:
        layout.addLayout(part)


def title(words: str) -> QLabel:
    """Return a heading."""
    return QLabel(f"<b>{words}</b>")


def button(words: str, tip: str) -> QPushButton:
    """Return a button with a tooltip."""
    made = QPushButton(words)
    made.setToolTip(tip)
    return made


def collapsible(words: str, tip: str, *contents: QWidget) -> QCollapsible:
    """Return widgets below a title that shows and hides them, as wide as the title; at first they are hidden."""
    made = QCollapsible(words)
    made.setToolTip(tip)
    made.layout().setContentsMargins(0, 0, 0, 0)
    for content in contents:
        made.addWidget(content)
    return made


def row(*widgets: QWidget) -> QHBoxLayout:
    """Return widgets beside each other, of equal weight."""
    made = QHBoxLayout()
    for widget in widgets:
        made.addWidget(widget, 1)
    return made


def column(*widgets: QWidget) -> QVBoxLayout:
    """Return widgets below each other, without a margin."""
    made = QVBoxLayout()
    made.setContentsMargins(0, 0, 0, 0)
    made.setSpacing(3)
    for widget in widgets:
        made.addWidget(widget)
    return made


def notes() -> QLabel:
    """Return the place for what the user should know; hidden while there is nothing."""
    made = QLabel()
    made.setWordWrap(True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    made.setVisible(False)
    return made
