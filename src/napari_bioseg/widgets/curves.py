"""How a training goes: the loss of each epoch, and below it the score on data that is not trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget

from napari_bioseg.widgets import building
from napari_bioseg.widgets.plots import LogAxis, new_plot

HEIGHTS = {"loss": 140, "scores": 140}
AXIS_WIDTH = 50  # of both plots, so that the same epoch stands at the same place
LEAST_RANGE = 0.05  # of the score: a smaller change must not look like a large one
# Okabe & Ito's colours, for a dark and a light ground; each curve has a mark of its own as well.
CURVES: dict[str, tuple[str, str, str, str]] = {
    "loss": ("#56b4e9", "#0072b2", "o", "Loss on what it learns from"),
    "held_out": ("#e69f00", "#d55e00", "s", "held out"),
    "score": ("#00c08b", "#008060", "t", "validation"),
}
MANY = 60  # epochs, from which marks would hide the curve


class Curves(QWidget):
    """Two small plots that zoom together along the epochs; the lower one is there once there is a score.

    Parameters
    ----------
    viewer : napari.Viewer
        For its theme.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.values: dict[str, npt.NDArray[np.float64]] = {}
        self._theme = "dark"
        self._metric = "score"
        self.plots = {name: _plot(name) for name in HEIGHTS}
        self.plots["scores"].setLimits(minYRange=LEAST_RANGE)
        self.plots["scores"].setXLink(self.plots["loss"])
        self.plots["loss"].setToolTip(
            "How far the training patches are from what you verified, each epoch: should fall.\n"
            "Turn the wheel to zoom, drag to move"
        )
        self.items: dict[str, pg.PlotDataItem] = {}
        for name in CURVES:
            self.items[name] = self.plots["loss" if name == "loss" else "scores"].plot([], [])
        self.legends = {name: QLabel() for name in HEIGHTS}
        self.note = building.notes()
        self.log_box = QCheckBox("Log scale")
        self.log_box.setToolTip("Loss on a logarithmic scale: shows what still changes late in the training")
        self.log_box.toggled.connect(self._set_log)
        self.all_button = building.button("Show all", "Show all epochs again after zooming")
        self.all_button.clicked.connect(self.show_all)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        drawn = [part for name in HEIGHTS for part in (self.legends[name], self.plots[name])]
        for part in (*drawn, self.note, building.row(self.log_box, self.all_button)):
            building.add(layout, part)
        self.show_lines(())
        self.show_theme(viewer.theme if hasattr(viewer, "theme") else "dark")

    def show_theme(self, theme: str) -> None:
        """Take the colours of napari's theme."""
        self._theme = theme
        color = pg.mkColor(get_theme(theme).text.as_rgb_tuple()[:3])
        for plot in self.plots.values():
            plot.setBackground(get_theme(theme).background.as_rgb_tuple()[:3])
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(pg.mkPen(color))
                plot.getAxis(side).setTextPen(pg.mkPen(color))
        self._draw()

    def show_metric(self, name: str) -> None:
        """Say what the score is: a metric of the recipe."""
        self._metric = name
        self.plots["scores"].setToolTip(
            f"{name} after each epoch, on what is not trained on: should rise. When it falls while the loss still\n"
            "falls, the model learns its training slices by heart"
        )

    def show_note(self, words: str) -> None:
        """Say below why there is no score; nothing for no words."""
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def show_lines(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Draw the epochs of a run.

        Parameters
        ----------
        lines : iterable of mappings
            As `Run.metrics` gives them; those without an epoch are passed over, and so is what is None or no number.
        """
        found = [line for line in lines if "epoch" in line and "loss" in line]
        self.values = {name: _column(found, name) for name in ("epoch", *CURVES)}
        self._draw()

    def show_all(self) -> None:
        """Zoom to all epochs, and follow those that come."""
        for plot in self.plots.values():
            plot.enableAutoRange()

    def _draw(self) -> None:
        there = {name for name in CURVES if np.isfinite(self.values[name]).any()}
        few = self.values["epoch"].size <= MANY
        for name, item in self.items.items():
            color, values = self._color(name), self.values[name]
            # Also what a logarithm cannot show is left out.
            known = np.isfinite(values) & (values > 0 if name == "loss" and self.log_box.isChecked() else True)
            item.setData(
                self.values["epoch"][known], values[known], pen=pg.mkPen(color, width=2),
                symbol=CURVES[name][2] if few else None, symbolSize=6, symbolBrush=color, symbolPen=None,
            )  # fmt: skip
        self.plots["scores"].setVisible(bool(there - {"loss"}))
        self.legends["scores"].setVisible(bool(there - {"loss"}))
        for plot, legend in self.legends.items():
            here = [name for name in CURVES if name in there and (name == "loss") == (plot == "loss")]
            legend.setText(" &nbsp; ".join(self._entry(name) for name in here))

    def _set_log(self, on: bool) -> None:
        self.plots["loss"].setLogMode(y=on)
        self._draw()
        self.plots["loss"].enableAutoRange(axis="y")

    def _color(self, name: str) -> str:
        return CURVES[name][get_theme(self._theme).background.as_hsl_tuple()[2] > 0.5]

    def _entry(self, name: str) -> str:
        known = self.values[name][np.isfinite(self.values[name])]
        last = f" {known[-1]:.3f}" if known.size else ""
        mark = f'<span style="color:{self._color(name)}">{"●■▲"[list(CURVES).index(name)]}</span>'
        return f"{mark} {CURVES[name][3] if name == 'loss' else f'{self._metric}, {CURVES[name][3]}'}{last}"


def _plot(name: str) -> pg.PlotWidget:
    plot = new_plot(HEIGHTS[name], axisItems={"left": LogAxis("left")})
    plot.showGrid(y=True, alpha=0.2)
    plot.setLabel("bottom", "epoch")
    plot.getAxis("bottom").setHeight(38)
    plot.getAxis("left").setWidth(AXIS_WIDTH)
    plot.getAxis("left").enableAutoSIPrefix(False)
    plot.getAxis("bottom").enableAutoSIPrefix(False)
    plot.getAxis("bottom").setStyle(maxTickLevel=0)  # whole epochs
    plot.setAccessibleName(f"Curve of the {name}")
    return plot


def _column(lines: list[Mapping[str, Any]], name: str) -> npt.NDArray[np.float64]:
    """Return one value a line; NaN where it is none, infinite or was not measured."""
    values = np.array([np.nan if line.get(name) is None else line[name] for line in lines], float)
    return np.where(np.isfinite(values), values, np.nan)
