"""What the plots of all panels have in common."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from qtpy.QtWidgets import QSizePolicy


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
