"""Small drawings of what the dimensions of a stack can mean."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPalette, QPen, QPixmap, QPolygonF

SIZE = QSize(96, 72)
WORDS = {
    "Z": ("Z stack", "planes at different depths of one specimen"),
    "T": ("Time series", "one plane at different times"),
    "C": ("Channels", "one plane in different colours"),
    "R": ("Positions", "planes at different places"),
    "S": ("Colours", "red, green and blue of one picture"),
}
_CHANNELS = ("#0072b2", "#009e73", "#d55e00")


def describe(axes: str) -> tuple[str, str]:
    """Return a title and an explanation for axes such as ``"ZYX"``."""
    extra = [a for a in axes if a not in "YX" and not (a == "S" and len(axes) > 3)]
    titles = [WORDS[a][0] for a in extra] or ["Single plane"]
    sentence = "; ".join(f"{WORDS[a][1]} ({a})" for a in extra) or "rows and columns"
    return " × ".join(titles), sentence[0].upper() + sentence[1:]


def draw(axes: str, palette: QPalette, ratio: float = 1.0) -> QIcon:
    """Draw a stack of planes under each other (Z), a film (T) or overlaid colours (C).

    Parameters
    ----------
    axes : str
        The first axis that is neither Y nor X is drawn.
    palette : QPalette
        Colours of the theme.
    ratio : float
        Device pixels a point.
    """
    pixmap = QPixmap(SIZE * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    ink = palette.color(QPalette.ColorRole.WindowText)
    first = next((a for a in axes if a not in "YX"), "")
    {"Z": _stack, "T": _film, "C": _channels}.get(first, _plane)(painter, ink)
    painter.end()
    return QIcon(pixmap)


def _stack(painter: QPainter, ink: QColor) -> None:
    for i in range(4):
        _slab(painter, ink, QPointF(8, 48 - 13 * i), ink, 40 + 40 * i)
    painter.setPen(QPen(ink, 1.5))
    painter.drawLine(QPointF(90, 60), QPointF(90, 10))
    painter.drawPolyline(QPolygonF([QPointF(86, 16), QPointF(90, 9), QPointF(94, 16)]))


def _channels(painter: QPainter, ink: QColor) -> None:
    for i, color in enumerate(_CHANNELS):
        _slab(painter, ink, QPointF(10, 46 - 16 * i), QColor(color), 170)


def _slab(painter: QPainter, ink: QColor, corner: QPointF, fill: QColor, alpha: int) -> None:
    x, y = corner.x(), corner.y()
    shape = QPolygonF([QPointF(x, y + 16), QPointF(x + 20, y), QPointF(x + 76, y), QPointF(x + 56, y + 16)])
    tinted = QColor(fill)
    tinted.setAlpha(alpha)
    painter.setBrush(tinted)
    painter.setPen(QPen(ink, 1.2))
    painter.drawPolygon(shape)


def _film(painter: QPainter, ink: QColor) -> None:
    painter.setPen(QPen(ink, 1.2))
    for i in range(3):
        frame = QRectF(4 + 30 * i, 14, 26, 34)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(frame)
        painter.setBrush(ink)
        painter.drawEllipse(QPointF(frame.left() + 7 + 6 * i, frame.top() + 24 - 8 * i), 3.5, 3.5)
    painter.drawLine(QPointF(6, 60), QPointF(88, 60))
    painter.drawPolyline(QPolygonF([QPointF(82, 56), QPointF(89, 60), QPointF(82, 64)]))


def _plane(painter: QPainter, ink: QColor) -> None:
    painter.setPen(QPen(ink, 1.2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(18, 10, 60, 50))
