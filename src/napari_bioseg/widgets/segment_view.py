"""Where the controls of the panel "Segment" stand. What they do is in `segment_panel`."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_bioseg.inference.options import PredictOptions
from napari_bioseg.models.card import OutputSpec
from napari_bioseg.postprocess.options import DecodeOptions, Limits
from napari_bioseg.widgets import building
from napari_bioseg.widgets.controls import Slider
from napari_bioseg.widgets.image_box import ImageBox
from napari_bioseg.widgets.model_box import ModelBox
from napari_bioseg.widgets.options_form import OptionsForm
from napari_bioseg.widgets.progress_row import ProgressRow
from napari_bioseg.widgets.shortcuts import KEYS
from napari_bioseg.widgets.where_box import WhereBox

BESIDE_MODEL = ("resample",)
ELSEWHERE = {"channel", *BESIDE_MODEL}  # the layer combo says the channel
WORDS = {
    "separate": "Close gaps",
    "min_size": "Min. size (px)",
    "fill_holes": "Fill holes (px)",
    "split": "Split touching",
    "resample": "Resample",
    "workers": "Tiles at once",
    "tile": "Tile edge",
    "precision": "Precision",
}


class SegmentView(QWidget):
    """All controls from top to bottom, in the order in which they are used; the buttons stay in view.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image = ImageBox(viewer)
        self.model = ModelBox()
        self.where = WhereBox(viewer)
        self.labels_form = OptionsForm(DecodeOptions, tuple(DecodeOptions.model_fields), WORDS)
        engine = tuple(n for n in PredictOptions.model_fields if n not in ELSEWHERE)
        self.engine_form = OptionsForm(PredictOptions, engine, WORDS)
        self.resample_form = OptionsForm(PredictOptions, BESIDE_MODEL, WORDS)
        self.progress = ProgressRow()
        self.notes = building.notes()
        self._make_buttons()
        self.scroll = building.scroll(self._controls())
        # As tall as its dock; napari would fill the rest with empty space otherwise.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.scroll, 1)
        for part in self._footer():
            building.add(layout, part)

    @property
    def forms(self) -> tuple[OptionsForm, ...]:
        """All forms of options."""
        return self.labels_form, self.resample_form, self.engine_form

    def show_own(self, output: OutputSpec) -> None:
        """Show the model's own values while the user has set none."""
        for name in Limits._fields:
            control = self.labels_form.controls[name]
            if isinstance(control, Slider):
                control.set_fallback(getattr(output, name))

    def say(self, lines: list[str]) -> None:
        """Show what the user should know, one line each."""
        self.notes.setText("\n".join(lines))
        self.notes.setVisible(bool(lines))

    def _controls(self) -> list[building.Part]:
        engine = QCollapsible("Engine")
        engine.setToolTip("How the network is run")
        engine.addWidget(self.engine_form)
        return [
            building.title("Image"), self.image,
            building.title("Model"), self.model, self.resample_form,
            building.title("Where"), self.where,
            building.title("Labels, tuned live"), self.labels_form,
            engine,
        ]  # fmt: skip

    def _footer(self) -> list[building.Part]:
        return [
            building.row(self.preview_button, self.segment_button),
            self.progress,
            self.notes,
            building.row(self.save_button, self.copy_button),
        ]

    def _make_buttons(self) -> None:
        self.preview_button = building.button(
            f"Preview ({KEYS['preview']})", "Segment what is visible of the current plane, as a look before the whole"
        )
        self.segment_button = building.button(
            f"Segment ({KEYS['segment']})", f"Segment the region chosen above; {KEYS['cancel']} cancels"
        )
        self.save_button = building.button(
            "Save…", "Save the labels with scale and provenance, or image and labels as OME-Zarr"
        )
        self.copy_button = building.button(
            "Copy as command", "Copy the 'bioseg segment' line that does the same without a window"
        )
