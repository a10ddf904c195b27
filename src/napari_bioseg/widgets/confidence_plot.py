"""How sure the detector is of its candidates, the threshold among them, and the F1 of other thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_bioseg.widgets.plots import new_plot

BINS = 40
HEIGHT = 118
BARS, LINE, CURVE = (120, 150, 180, 150), (255, 209, 102), (86, 180, 233)


class ConfidencePlot(QWidget):
    """A histogram with a line that can be dragged.

    Parameters
    ----------
    viewer : napari.Viewer
        For its theme.
    """

    dragged = Signal(float)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(
            "Candidates by confidence (logarithmic); the line is the threshold and can be dragged.\n"
            "After a fit: the F1 on the checked frames at each threshold"
        )
        self.plot = new_plot(HEIGHT)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideAxis("left")
        self.plot.setXRange(0, 1, padding=0.01)
        self.plot.setYRange(0, 1.05, padding=0)
        self.bars = pg.BarGraphItem(x0=[0], x1=[0], y0=0, height=[0], brush=BARS, pen=None)
        self.line = pg.InfiniteLine(0.5, movable=True, bounds=(0, 1), pen=pg.mkPen(LINE, width=2))
        self.curve = pg.PlotDataItem([], [], pen=pg.mkPen(CURVE, width=2))
        for item in (self.bars, self.curve, self.line):
            self.plot.addItem(item)
        self.line.sigDragged.connect(lambda line: self.dragged.emit(round(float(line.value()), 2)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self.show_theme(viewer.theme if hasattr(viewer, "theme") else "dark")

    def show_theme(self, theme: str) -> None:
        """Take the colours of napari's theme."""
        self.plot.setBackground(get_theme(theme).background.as_rgb_tuple()[:3])
        color = get_theme(theme).text.as_rgb_tuple()[:3]
        axis = self.plot.getAxis("bottom")
        axis.setPen(pg.mkPen(color))
        axis.setTextPen(pg.mkPen(color))
        self.plot.setLabel("bottom", "confidence", color=pg.mkColor(color).name())

    def show_confidences(self, values: npt.NDArray[np.float64]) -> None:
        """Draw the histogram of ``(N,)`` confidences in 0..1."""
        count, edges = np.histogram(values, BINS, (0, 1))
        height = np.log1p(count)
        self.bars.setOpts(x0=edges[:-1], x1=edges[1:], y0=0, height=height / max(height.max(), 1))

    def show_threshold(self, value: float) -> None:
        """Move the line."""
        self.line.setValue(value)

    def show_curve(self, confidences: Any, f1: Any) -> None:
        """Draw F1 against the confidence; nothing for no points."""
        self.curve.setData(np.asarray(confidences, float), np.asarray(f1, float))
