"""Where the controls of the panel "Runs" stand. What they do is in `runs_panel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import QItemSelectionModel, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QCheckBox, QComboBox, QLabel, QLineEdit, QWidget

from napari_bioseg.widgets import building
from napari_bioseg.widgets.panel_view import PanelView
from napari_bioseg.widgets.plots import new_plot
from napari_bioseg.widgets.row_table import RowTable

# Okabe & Ito's colours, readable on a dark and on a light ground.
COLORS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7")
STATES = {"synced": "#009e73", "failed": "#d55e00", "pending": "#e69f00"}
WIDTH = 354


class RunTable(RowTable):
    """Runs; several can be chosen, with Ctrl or Shift."""

    picked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        tip = "Trainings, comparisons and batches of this computer. With Ctrl, choose up to four to see them together"
        super().__init__(("Run", "Began", "Figure", "Server"), "Runs", tip, 170, parent)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.itemSelectionChanged.connect(self.picked)

    @property
    def rows(self) -> list[int]:
        """Which rows are chosen, as they came."""
        chosen = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [int(self.item(row, 0).data(Qt.ItemDataRole.UserRole)) for row in chosen]

    def choose_rows(self, rows: Sequence[int]) -> None:
        """Choose rows, as they came; nobody is told."""
        blocker, wanted = QSignalBlocker(self), set(rows)
        self.clearSelection()
        mode = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        for row in range(self.rowCount()):
            if int(self.item(row, 0).data(Qt.ItemDataRole.UserRole)) in wanted:
                self.selectionModel().select(self.model().index(row, 0), mode)
        blocker.unblock()


class Overlay(QWidget):
    """One figure of several runs over each other."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = new_plot(130)
        self.plot.showGrid(y=True, alpha=0.2)
        self.plot.setLabel("bottom", "epoch, or image of a batch")
        self.plot.getAxis("bottom").setHeight(38)
        self.plot.getAxis("bottom").setStyle(maxTickLevel=0)  # whole numbers
        for side in ("left", "bottom"):
            self.plot.getAxis(side).enableAutoSIPrefix(False)
        self.plot.setToolTip("The figure chosen above, of the chosen runs. Turn the wheel to zoom, drag to move")
        self.plot.setAccessibleName("Curves of the chosen runs")
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.setLayout(building.column(self.plot, self.legend))
        self.show_theme(viewer.theme if hasattr(viewer, "theme") else "dark")

    def show_theme(self, theme: str) -> None:
        """Take the colours of napari's theme."""
        colors = get_theme(theme)
        self.plot.setBackground(colors.background.as_rgb_tuple()[:3])
        pen = pg.mkPen(pg.mkColor(colors.text.as_rgb_tuple()[:3]))
        for side in ("left", "bottom"):
            self.plot.getAxis(side).setPen(pen)
            self.plot.getAxis(side).setTextPen(pen)

    def show_curves(self, curves: Sequence[tuple[str, Sequence[float]]]) -> None:
        """Draw curves, each with its name."""
        self.plot.clear()
        shown = [(name, values, color) for (name, values), color in zip(curves, COLORS, strict=False) if values]
        for _, values, color in shown:
            self.plot.plot(
                range(1, len(values) + 1), list(values), pen=pg.mkPen(color, width=2), connect="finite",
                symbol="o" if len(values) <= 60 else None, symbolSize=5, symbolBrush=color, symbolPen=None,
            )  # fmt: skip
        self.plot.enableAutoRange()
        self.legend.setText(" &nbsp; ".join(f'<span style="color:{color}">●</span> {name}' for name, _, color in shown))
        self.setVisible(bool(shown))


class RunsView(PanelView):
    """Runs, what they measured, and the server that they are mirrored to."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = _line("Filter", "Show the runs that have all these words in name, kind, state, tags or folder")
        self.search.setPlaceholderText("filter, e.g. batch failed")
        self.search.setClearButtonEnabled(True)
        self.figure = QComboBox()
        self.figure.setAccessibleName("Figure")
        self.figure.setToolTip("The figure in the table, and in the curves below")
        self.runs = RunTable()
        self.about = QLabel()
        self.about.setAccessibleName("About the chosen run")
        self.about.setWordWrap(True)
        self.about.setMinimumWidth(1)
        self.about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.overlay = Overlay(viewer)
        self.beside = RowTable(
            ("Figure", "First", "Second", "Change"), "Two runs side by side", "Last values of the two chosen runs", 120
        )
        self.server = _line("Server", "Address of an MLflow server; empty: a store on this computer, for 'mlflow ui'")
        self.server.setPlaceholderText("empty: a store on this computer")
        self.test_button = building.button("Test", "Ask whether the server takes runs")
        self.always_box = QCheckBox("Sync when the server appears")
        self.always_box.setToolTip("Look for the server every minute while this panel is open, and send what waits")
        self.sync_button = building.button("Sync now", "Send all runs that are not there yet; what is there stays once")
        self.chosen_button = building.button("Sync chosen", "Send the chosen runs only")
        self.browser_button = building.button("Open in browser", "Open the chosen run on the server")
        self.folder_button = building.button("Open folder", "Open the folder of the chosen run")
        self.delete_button = building.button("Delete…", "Remove the chosen runs from this computer; asks first")
        self._assemble()

    def _assemble(self) -> None:
        server = building.row(self.server)
        server.addWidget(self.test_button)
        controls: list[building.Part] = [
            building.title("Runs"), self.search, self.runs, self.about, building.row(QLabel("Figure"), self.figure),
            self.overlay, self.beside,
            building.row(self.folder_button, self.browser_button, self.delete_button),
            building.title("MLflow server"), server, self.always_box,
        ]  # fmt: skip
        footer = (building.row(self.sync_button, self.chosen_button), self.progress, self.notes)
        self.lay_out(controls, footer)
        self.scroll.setMinimumWidth(WIDTH)


def _line(name: str, tip: str) -> QLineEdit:
    made = QLineEdit()
    made.setAccessibleName(name)
    made.setToolTip(tip)
    return made
