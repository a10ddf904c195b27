"""What the plots of all panels have in common."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy


class LogAxis(pg.AxisItem):
    """An axis whose figures do not overlap when it is logarithmic."""

    def logTickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: N802
        """Label 1, 2 and 5 of each power of ten."""
        words = super().logTickStrings(values, scale, spacing)
        return [w if f"{10**v:.0e}"[0] in "125" else "" for v, w in zip(values, words, strict=True)]


def new_plot(height: int, **options: Any) -> pg.PlotWidget:
    """Return a plot as wide as there is room, without pyqtgraph's own menus and buttons.

    Parameters
    ----------
    height : int
        Pixels.
    **options
        Of `pyqtgraph.PlotWidget`.
    """
    plot = pg.PlotWidget(**options)
    plot.setFixedHeight(height)
    plot.setMinimumWidth(0)
    plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    # pyqtgraph makes its menu without a parent: it would outlive the plot. Without its flags it would lie on the plot.
    menu = plot.getPlotItem().ctrlMenu
    menu.setParent(plot, menu.windowFlags())
    return plot
