"""Where the controls of the panel "Drift" stand. What they do is in `drift_panel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QHeaderView, QLabel, QVBoxLayout, QWidget

from napari_bioseg.drift import DISTANCES
from napari_bioseg.plugin.drift_entries import Remedy, meaning, sentence
from napari_bioseg.widgets import building
from napari_bioseg.widgets.drift_plot import WARNED, DriftHistory, DriftPlots
from napari_bioseg.widgets.image_box import ImageBox
from napari_bioseg.widgets.model_box import ModelBox
from napari_bioseg.widgets.model_view import WORDS
from napari_bioseg.widgets.options_form import OptionsForm
from napari_bioseg.widgets.panel_view import PanelView
from napari_bioseg.widgets.row_table import RowTable
from napari_bioseg.widgets.shortcuts import KEYS
from napari_bioseg.workflows.options import DriftOptions

OVER = "▲ "
HEIGHT = 30 + 20 * len(DISTANCES)  # all rows: the panel scrolls already
UNKNOWN = "Press Check: a few windows of the image are compared with what the model was trained on."


class CauseList(QWidget):
    """A line and a button for each cause."""

    pressed = Signal(int)  # which, as they came

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: list[Any] = []
        self._lines = QVBoxLayout(self)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(4)

    def show_causes(self, causes: Sequence[tuple[str, Remedy]]) -> None:
        """Show causes, each with what can be done about it."""
        self.buttons = []
        while (line := self._lines.takeAt(0)) is not None:
            line.widget().deleteLater()
        for i, (words, remedy) in enumerate(causes):
            self._lines.addWidget(self._line(i, words, remedy))
        self.setVisible(bool(causes))

    def _line(self, i: int, words: str, remedy: Remedy) -> QWidget:
        label = QLabel(sentence(words))
        label.setWordWrap(True)
        label.setMinimumWidth(1)
        button = building.button(remedy.words, remedy.tip)
        button.clicked.connect(lambda: self.pressed.emit(i))
        self.buttons.append(button)
        line = QWidget()
        layout = QHBoxLayout(line)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(label, 1)
        layout.addWidget(button)
        return line


class DistanceTable(RowTable):
    """How far the image is in each way; what is over its threshold is marked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        tip = "How far the image is from the training, in each way; ▲ is over its limit. Point at a row for what it is"
        super().__init__(("Distance", "Value", "Limit", "Ratio"), "Distances", tip, HEIGHT, parent)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeader()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def show_distances(self, rows: Sequence[tuple[str, float, float, float]]) -> None:
        """Show name, value, threshold and ratio of each."""
        self.show_rows(
            [(f"{OVER * (row[-1] > 1)}{row[0]}", *row[1:]) for row in rows],
            [WARNED if row[-1] > 1 else None for row in rows],
            sign="",
        )
        for i, (name, *_, ratio) in enumerate(rows):
            for j in range(self.columnCount()):
                self.item(i, j).setToolTip(sentence(meaning(name)))
                font = self.item(i, j).font()
                font.setBold(ratio > 1)
                self.item(i, j).setFont(font)


class DriftView(PanelView):
    """Image, model, verdict with its causes, figures, and the model's images over time.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image = ImageBox(viewer)
        self.image.combo.setToolTip("Image layer to check; follows the layer list")
        self.model = ModelBox(task=None)
        self.resample_form = OptionsForm(DriftOptions, ("resample",), WORDS)
        self.device_form = OptionsForm(DriftOptions, ("device",), WORDS)
        self.check_button = building.button(
            f"Check ({KEYS['check_drift']})",
            f"Compare the image with what the model was trained on; {KEYS['cancel_check']} cancels",
        )
        self.verdict = QLabel(UNKNOWN)
        self.verdict.setAccessibleName("Verdict")
        self.verdict.setWordWrap(True)
        self.verdict.setMinimumWidth(1)
        self.causes = CauseList()
        self.table = DistanceTable()
        self.plots = DriftPlots(viewer)
        self.history = DriftHistory(viewer)
        self.figures = QWidget()
        self.figures.setLayout(building.column(building.title("Distances"), self.table, self.plots))
        engine = building.collapsible("Engine", "How the network is run", *self.forms)
        controls: list[building.Part] = [
            building.title("Image"), self.image,
            building.title("Model"), self.model,
            building.title("Verdict"), self.verdict, self.causes, self.figures,
            building.title("Over time"), self.history, engine,
        ]  # fmt: skip
        self.lay_out(controls, [self.check_button, self.progress, self.notes])

    @property
    def forms(self) -> tuple[OptionsForm, ...]:
        """All forms of options."""
        return self.resample_form, self.device_form
