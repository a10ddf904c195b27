"""An image against what a model was trained on, in pictures; and its images over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtWidgets import QLabel, QWidget

from napari_bioseg.drift import CENTRES, EDGES
from napari_bioseg.plugin.drift_entries import seconds
from napari_bioseg.widgets import building
from napari_bioseg.widgets.plots import LogAxis, new_plot

if TYPE_CHECKING:
    from napari_bioseg.workflows.drift_check import Drift
    from napari_bioseg.workflows.drift_log import LoggedDrift, Shift

# Okabe & Ito's colours, readable on a dark and on a light ground.
IMAGE, REFERENCE, WARNED = "#e69f00", "#56b4e9", "#d55e00"
HEIGHT = 110
AXIS_WIDTH = 42
LEAST_SCORE = 0.05  # a smaller score is drawn here: the axis is logarithmic
SIZES = (64, 32, 16, 8, 4, 2)  # of structures, model pixels


class DriftPlots(QWidget):
    """Grey values and spectrum: the reference as an area, the image as a line.

    Parameters
    ----------
    viewer : napari.Viewer
        For its theme.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.histogram = _plot("Histogram of the image and of the reference")
        self.histogram.setToolTip(
            "Share of the pixels with each grey value, normalised: about 0 the darkest, about 1 the brightest.\n"
            "Area: what the model was trained on; line: this image"
        )
        self.spectrum = _plot("Spectrum of the image and of the reference")
        self.spectrum.setToolTip(
            "How much structure there is of each size, in powers of 2. Noise lifts the right end, blur lowers it,\n"
            "other pixel sizes shift the curve. Area: mean ± spread of what the model was trained on; line: this image"
        )
        ticks = [(-np.log2(size), str(size)) for size in SIZES]
        self.spectrum.getAxis("bottom").setTicks([ticks])
        self.legend = QLabel(
            f'<span style="color:{IMAGE}">▬</span> this image &nbsp; <span style="color:{REFERENCE}">■</span> reference'
        )
        titles = QLabel("Grey values, normalised"), QLabel("Spectrum: structures, in model pixels")
        self.setLayout(building.column(self.legend, titles[0], self.histogram, titles[1], self.spectrum))
        self.show_theme(viewer.theme if hasattr(viewer, "theme") else "dark")

    def show_theme(self, theme: str) -> None:
        """Take the colours of napari's theme."""
        for plot in (self.histogram, self.spectrum):
            _paint(plot, theme)

    def show_drift(self, drift: Drift) -> None:
        """Draw an image and the reference that it was compared with."""
        figures, profile = drift.figures, drift.profile
        pen, brush = pg.mkPen(IMAGE, width=2), pg.mkBrush(_faint(REFERENCE))
        self.histogram.clear()
        self.histogram.plot(
            EDGES, profile.histogram, stepMode="center", fillLevel=0, fillBrush=brush, pen=pg.mkPen(REFERENCE)
        )
        self.histogram.plot(EDGES, figures.histogram, stepMode="center", pen=pen)
        self.spectrum.clear()
        mean, spread = np.array(profile.spectrum), np.array(profile.spectrum_sd)
        edges = [pg.PlotDataItem(CENTRES, mean + sign * spread, pen=pg.mkPen(REFERENCE)) for sign in (-1, 1)]
        for item in (*edges, pg.FillBetweenItem(*edges, brush=brush)):
            self.spectrum.addItem(item)
        self.spectrum.plot(CENTRES, figures.spectrum, pen=pen, symbol="o", symbolSize=5, symbolBrush=IMAGE)
        for plot in (self.histogram, self.spectrum):
            plot.enableAutoRange()


class DriftHistory(QWidget):
    """All images that were checked for a model, by date; warned ones are triangles above the line.

    Parameters
    ----------
    viewer : napari.Viewer
        For its theme.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = _plot("Images that were checked for this model, by date")
        self.plot.setAxisItems({"bottom": pg.DateAxisItem()})
        self.plot.setLogMode(y=True)
        self.plot.setToolTip(
            "Each image that was checked for this model: the largest of its distances, in units of its threshold.\n"
            "▲ was warned of. Point at one for its name; turn the wheel to zoom, drag to move"
        )
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setMinimumWidth(1)
        self.setLayout(building.column(self.words, self.plot))
        self.show_theme(viewer.theme if hasattr(viewer, "theme") else "dark")

    def show_theme(self, theme: str) -> None:
        """Take the colours of napari's theme."""
        _paint(self.plot, theme)

    def show_log(self, entries: Sequence[LoggedDrift], shift: Shift | None) -> None:
        """Draw what was checked, and say since when the images have changed.

        Parameters
        ----------
        entries : sequence of LoggedDrift
            The oldest first.
        shift : Shift or None
            None where they have not.
        """
        self.plot.clear()
        self.plot.setVisible(bool(entries))
        warned = sum(entry.warned for entry in entries)
        told = f"{len(entries)} checked, {warned} warned of (▲)." if entries else "No image was checked yet."
        self.words.setText(told if shift is None else f"{told}\n⚠ {shift.words[:1].upper()}{shift.words[1:]}")
        limit = pg.InfiniteLine(0, angle=0, pen=pg.mkPen(WARNED, width=1, dash=[6, 4]))  # log10 of the threshold
        self.plot.addItem(limit)
        if shift is not None:
            since = next(seconds(entry) for entry in entries if entry.time == shift.since)
            self.plot.addItem(pg.InfiniteLine(since, angle=90, pen=pg.mkPen(IMAGE, width=2, dash=[2, 3])))
        self.plot.addItem(_points(entries))
        self.plot.enableAutoRange()


def _points(entries: Sequence[LoggedDrift]) -> pg.ScatterPlotItem:
    return pg.ScatterPlotItem(
        x=[seconds(entry) for entry in entries],
        y=[float(np.log10(max(entry.score, LEAST_SCORE))) for entry in entries],
        symbol=["t1" if entry.warned else "o" for entry in entries],
        brush=[WARNED if entry.warned else REFERENCE for entry in entries],
        size=9, pen=None, hoverable=True,
        data=[f"{entry.image}: {entry.score:.2f} {', '.join(entry.causes)}" for entry in entries],
        tip=_tip,
    )  # fmt: skip


def _tip(x: float, y: float, data: str) -> str:  # noqa: ARG001 - pyqtgraph names them
    return data


def _plot(name: str) -> pg.PlotWidget:
    plot = new_plot(HEIGHT, axisItems={"left": LogAxis("left")})
    plot.showGrid(y=True, alpha=0.2)
    plot.getAxis("bottom").setHeight(24)
    plot.getAxis("left").setWidth(AXIS_WIDTH)
    for side in ("left", "bottom"):
        plot.getAxis(side).enableAutoSIPrefix(False)
    plot.setAccessibleName(name)
    return plot


def _paint(plot: pg.PlotWidget, theme: str) -> None:
    colors = get_theme(theme)
    plot.setBackground(colors.background.as_rgb_tuple()[:3])
    pen = pg.mkPen(pg.mkColor(colors.text.as_rgb_tuple()[:3]))
    for side in ("left", "bottom"):
        plot.getAxis(side).setPen(pen)
        plot.getAxis(side).setTextPen(pen)


def _faint(color: str) -> Any:
    faint = pg.mkColor(color)
    faint.setAlpha(90)
    return faint
