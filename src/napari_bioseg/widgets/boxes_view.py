"""Where the controls for boxes stand: thresholds, histogram, counts, checked frames, table."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget

from napari_bioseg.postprocess.boxes import BoxOptions
from napari_bioseg.widgets.box_table import BoxTable
from napari_bioseg.widgets.building import add, button, row
from napari_bioseg.widgets.confidence_plot import ConfidencePlot
from napari_bioseg.widgets.controls import Slider
from napari_bioseg.widgets.options_form import OptionsForm
from napari_bioseg.widgets.shortcuts import KEYS

WORDS = {"iou": "Overlap (IoU)", "min_side": "Min. side (px)", "max_side": "Max. side (px)"}


class BoxesView(QWidget):
    """Controls that act on boxes which are there already.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = OptionsForm(BoxOptions, tuple(BoxOptions.model_fields), WORDS)
        self.plot = ConfidencePlot(viewer)
        self.counts = QLabel("No boxes yet")
        self.counts.setWordWrap(True)
        self.checked = QCheckBox(f"Frame is right ({KEYS['check_frame']})")
        self.checked.setToolTip(
            "Say that the boxes of this frame are right: thresholds leave it alone, and Fit thresholds learns from it"
        )
        self.fit_button = button(
            "Fit thresholds", "Set confidence and overlap to what reproduces the checked frames best (F1 within 2 px)"
        )
        self.table = BoxTable()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.form, self.plot, self.counts, row(self.checked, self.fit_button), self.table):
            add(layout, part)

    def show_confidence(self, value: float) -> None:
        """Show the model's own confidence while the user has set none."""
        control = self.form.controls["confidence"]
        if isinstance(control, Slider):
            control.set_fallback(value)
