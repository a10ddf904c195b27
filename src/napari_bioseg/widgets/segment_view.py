"""Where the controls of the panel "Segment" stand. What they do is in `segment_panel`."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget

from napari_bioseg.models.card import OutputSpec
from napari_bioseg.postprocess.options import DecodeOptions, Limits
from napari_bioseg.widgets import building
from napari_bioseg.widgets.controls import Slider
from napari_bioseg.widgets.model_view import ModelView
from napari_bioseg.widgets.options_form import OptionsForm
from napari_bioseg.widgets.shortcuts import KEYS

WORDS = {
    "separate": "Close gaps",
    "min_size": "Min. size (px)",
    "fill_holes": "Fill holes (px)",
    "split": "Split touching",
}


class SegmentView(ModelView):
    """All controls from top to bottom, in the order in which they are used; the buttons stay in view.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent, verb="Segment", task="semantic")
        self.labels_form = OptionsForm(DecodeOptions, tuple(DecodeOptions.model_fields), WORDS)
        self.preview_button = building.button(
            f"Preview ({KEYS['preview']})", "Segment what is visible of the current plane, as a look before the whole"
        )
        self.segment_button = building.button(
            f"Segment ({KEYS['segment']})", f"Segment the region chosen above; {KEYS['cancel']} cancels"
        )
        self.save_button = building.button(
            "Save…", "Save the labels with scale and provenance, or image and labels as OME-Zarr"
        )
        controls: list[building.Part] = [
            building.title("Image"), self.image,
            building.title("Model"), self.model, self.resample_form,
            building.title("Where"), self.where,
            building.title("Labels, tuned live"), self.labels_form,
        ]  # fmt: skip
        buttons = building.row(self.preview_button, self.segment_button)
        files = building.row(self.save_button, self.copy_button, self.recipe_button)
        self.assemble(controls, [buttons, self.progress, self.notes, files])

    @property
    def forms(self) -> tuple[OptionsForm, ...]:
        """All forms of options."""
        return self.labels_form, self.resample_form, self.engine_form, self.look_form

    def show_own(self, output: OutputSpec) -> None:
        """Show the model's own values while the user has set none."""
        numbered = bool(self.labels_form.controls["instances"].value())
        own = DecodeOptions(instances=numbered).limits(output.model_dump())
        for name in Limits._fields:
            control = self.labels_form.controls[name]
            if isinstance(control, Slider):
                control.set_fallback(getattr(own, name))
