"""Where the controls of the panel "Detect" stand. What they do is in `detect_panel`."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_bioseg.inference.options import PredictOptions
from napari_bioseg.widgets import building
from napari_bioseg.widgets.boxes_view import BoxesView
from napari_bioseg.widgets.image_box import ImageBox
from napari_bioseg.widgets.model_box import ModelBox
from napari_bioseg.widgets.options_form import OptionsForm
from napari_bioseg.widgets.progress_row import ProgressRow
from napari_bioseg.widgets.segment_view import BESIDE_MODEL, ELSEWHERE, WORDS
from napari_bioseg.widgets.shortcuts import KEYS
from napari_bioseg.widgets.where_box import WhereBox


class DetectView(QWidget):
    """All controls from top to bottom, in the order in which they are used; the buttons stay in view.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image = ImageBox(viewer)
        self.model = ModelBox(task="detection")
        self.where = WhereBox(viewer, verb="Detect")
        engine = tuple(n for n in PredictOptions.model_fields if n not in ELSEWHERE)
        self.engine_form = OptionsForm(PredictOptions, engine, WORDS)
        self.resample_form = OptionsForm(PredictOptions, BESIDE_MODEL, WORDS)
        self.boxes = BoxesView(viewer)
        self.progress = ProgressRow()
        self.notes = building.notes()
        self.detect_button = building.button(
            f"Detect ({KEYS['detect']})", f"Find boxes where chosen above; {KEYS['cancel_detect']} cancels"
        )
        self.open_button = building.button(
            "Open…", "Open boxes from a file onto this image: CSV, YOLO text or COCO JSON"
        )
        self.save_button = building.button("Save…", "Save the boxes that are shown as CSV, with µm where known")
        self.copy_button = building.button(
            "Copy as command", "Copy the 'bioseg detect' line that does the same without a window"
        )
        self.scroll = building.scroll(self._controls())
        # As tall as its dock; napari would fill the rest with empty space otherwise.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.scroll, 1)
        footer: list[building.Part] = [
            self.progress, self.notes, building.row(self.open_button, self.save_button, self.copy_button)
        ]  # fmt: skip
        for part in footer:
            building.add(layout, part)

    @property
    def forms(self) -> tuple[OptionsForm, ...]:
        """All forms of options."""
        return self.boxes.form, self.resample_form, self.engine_form

    def say(self, lines: list[str]) -> None:
        """Show what the user should know, one line each."""
        self.notes.setText("\n".join(lines))
        self.notes.setVisible(bool(lines))

    def _controls(self) -> list[building.Part]:
        engine = QCollapsible("Engine")
        engine.setToolTip("How the network is run")
        engine.addWidget(self.resample_form)
        engine.addWidget(self.engine_form)
        return [
            building.title("Image"), self.image,
            building.title("Model"), self.model,
            building.title("Where"), self.where, self.detect_button,
            building.title("Boxes, tuned live"), self.boxes,
            engine,
        ]  # fmt: skip
