"""Where the controls of the panel "Compare" stand. What they do is in `compare_panel` and `compare_look`."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QSlider, QWidget

from napari_bioseg.plugin.comparison_layers import COLORS
from napari_bioseg.widgets import building
from napari_bioseg.widgets.paired_plot import PairedPlot
from napari_bioseg.widgets.panel_view import PanelView
from napari_bioseg.widgets.row_table import RowTable
from napari_bioseg.widgets.run_choice import RunChoice
from napari_bioseg.widgets.shortcuts import KEYS

NOTHING = "Not compared yet: choose a training and press Compare."


class CompareView(PanelView):
    """All controls from top to bottom, in the order in which they are used; the decision stays in view.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run = RunChoice(viewer)
        self.open_button = building.button("Open a run…", "Choose the folder of another training")
        self.compare_button = building.button(
            "Compare", "Let the old and the new model segment what was held out, and score both"
        )
        self.verdict = QLabel(NOTHING)
        self.verdict.setWordWrap(True)
        self.verdict.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.verdict.setToolTip("Better or worse only where the interval leaves out 0, on three slices at least")
        self.metric = QComboBox()
        self.metric.setAccessibleName("Score")
        self.metric.setToolTip("Which score the plot and the table show; the first one decides")
        self.plot = PairedPlot(viewer)
        self.units = RowTable(
            ("slice", "old", "new", "difference"),
            "Slices",
            "Held-out slices; click to go to one, on a title to sort",
            130,
        )
        self.regions = RowTable(
            ("slice", "y, x", "change"),
            "Regions",
            "Where old and new differ, the largest change first: how many pixels, or boxes, more are right than\n"
            "before. Click to go there, on a title to sort",
            150,
        )
        self.show_button = building.button(
            "Show in viewer", "Let both models look at the slices once more, and lay what they see on the image"
        )
        legend = " &nbsp; ".join(f'<span style="color:{c}">■</span> {side}' for side, c in COLORS.items())
        self.legend = QLabel(legend)
        self.legend.setToolTip("Colours of the layers; the truth is an outline")
        self.blink = QCheckBox(f"Blink ({KEYS['blink']})")
        self.blink.setToolTip("Show old and new in turn, each for half a second")
        self.curtain = QCheckBox("Curtain")
        self.curtain.setToolTip("Old on the left of the slider, new on the right, on the slice on screen")
        self.edge = QSlider(Qt.Orientation.Horizontal)
        self.edge.setRange(0, 100)
        self.edge.setValue(50)
        self.edge.setAccessibleName("Where the curtain hangs")
        self.edge.setToolTip("Where the curtain hangs: old on its left, new on its right")
        self.promote_button = building.button(
            "Promote…",
            "Put the new model into your zoo, as the version that its name stands for; the old one stays there",
        )
        self.keep_button = building.button(
            "Keep the old one", "Take the layers away and leave the zoo as it is; the training stays on disk"
        )
        self._assemble()

    def show_verdict(self, words: str) -> None:
        """Show a verdict, its first sentence in bold."""
        first, dot, rest = words.partition(". ")
        self.verdict.setText(f"<b>{first}{dot.strip()}</b> {rest}" if words else NOTHING)

    def _assemble(self) -> None:
        controls: list[building.Part] = [
            self.verdict,
            building.title("Score"), self.metric, self.plot, self.units,
            building.title("Where they differ"), self.regions, self.show_button,
            building.row(self.legend, self.blink), building.row(self.curtain, self.edge),
        ]  # fmt: skip
        header = (building.title("Training"), self.run, building.row(self.open_button, self.compare_button))
        footer = (self.progress, self.notes, building.row(self.keep_button, self.promote_button))
        self.lay_out(controls, footer, header)
