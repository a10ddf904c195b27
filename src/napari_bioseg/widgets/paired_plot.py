"""Old against new: a line for each slice, and the mean with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_bioseg.metrics.paired import TITLES, Difference
from napari_bioseg.plugin.comparison_layers import COLORS
from napari_bioseg.widgets.plots import new_plot

HEIGHT = 190
BETTER, WORSE, MEAN = "#009e73", "#d55e00", COLORS["new"]


class PairedPlot(QWidget):
    """A line from the old score to the new one for each slice; the thick one is their mean.

    The bar at the right end is the interval of the difference, hung on the old mean.

    Parameters
    ----------
    viewer : napari.Viewer
        For its theme.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(
            "One line a slice, from the old model's score to the new one's: green is better, red is worse.\n"
            "Thick: their mean; the bar: where the new mean may lie, at 95 %, measured from the old one"
        )
        self.setAccessibleName("Old and new, slice by slice")
        self.plot = new_plot(HEIGHT)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.setXRange(-0.25, 1.35, padding=0)
        self.plot.getAxis("left").enableAutoSIPrefix(False)
        self.plot.getAxis("bottom").setTicks([[(0, "old"), (1, "new")]])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self._text = "#ffffff"
        self.show_theme(viewer.theme if hasattr(viewer, "theme") else "dark")

    def show_theme(self, theme: str) -> None:
        """Take the colours of napari's theme."""
        self.plot.setBackground(get_theme(theme).background.as_rgb_tuple()[:3])
        color = get_theme(theme).text.as_rgb_tuple()[:3]
        self._text = pg.mkColor(color).name()
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.setPen(pg.mkPen(color))
            axis.setTextPen(pg.mkPen(color))

    def show_scores(self, scores: Sequence[tuple[float, float]], difference: Difference | None) -> None:
        """Draw units, each with its old and its new score, and their mean.

        Parameters
        ----------
        scores : sequence of tuple of float
        difference : Difference or None
            Of them; None clears the plot.
        """
        self.plot.clear()
        if difference is None or not difference.n:
            self.plot.setLabel("left", "")
            return
        falling = difference.gain != difference.mean
        for old, new in scores:
            better = (new < old) if falling else (new > old)
            color = pg.mkColor("#999999" if new == old else BETTER if better else WORSE)
            color.setAlpha(150)
            pen = pg.mkPen(color, width=1)
            self.plot.plot([0, 1], [old, new], pen=pen, symbol="o", symbolSize=5, symbolBrush=color, symbolPen=None)
        pen = pg.mkPen(MEAN, width=3)
        self.plot.plot([0, 1], [difference.old, difference.new], pen=pen, symbol="o", symbolSize=9, symbolBrush=MEAN)
        if math.isfinite(difference.low):
            ends = np.array([difference.low, difference.high]) + difference.old
            self.plot.addItem(
                pg.ErrorBarItem(
                    x=np.array([1.15]), y=np.array([difference.new]), top=np.array([ends[1] - difference.new]),
                    bottom=np.array([difference.new - ends[0]]), beam=0.08, pen=pen,
                )
            )  # fmt: skip
        self.plot.setLabel("left", TITLES.get(difference.metric, difference.metric), color=self._text)
        self._frame(scores, difference)

    def _frame(self, scores: Sequence[tuple[float, float]], difference: Difference) -> None:
        values = [*(v for pair in scores for v in pair)]
        if math.isfinite(difference.low):
            # A wide interval must not squeeze the scores: it is cut at the frame.
            reach = max(max(values) - min(values), 0.05)
            ends = difference.old + difference.low, difference.old + difference.high
            values += [max(ends[0], min(values) - reach), min(ends[1], max(values) + reach)]
        self.plot.setYRange(min(values), max(values), padding=0.08)
