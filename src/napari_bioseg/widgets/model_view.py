"""What the views of panels have in common that run a model over the image of a layer."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget

from napari_bioseg.inference.options import PredictOptions
from napari_bioseg.widgets import building
from napari_bioseg.widgets.drift_row import DriftRow
from napari_bioseg.widgets.image_box import ImageBox
from napari_bioseg.widgets.model_box import ModelBox
from napari_bioseg.widgets.options_form import OptionsForm
from napari_bioseg.widgets.panel_view import PanelView
from napari_bioseg.widgets.where_box import WhereBox
from napari_bioseg.workflows.options import LookOptions

BESIDE_MODEL = ("resample",)
ELSEWHERE = {"channel", *BESIDE_MODEL}  # the layer combo says the channel
WORDS = {
    "resample": "Resample",
    "workers": "Tiles at once",
    "tile": "Tile edge",
    "precision": "Precision",
    "drift": "Check for drift",
}


class ModelView(PanelView):
    """Image, model, where, engine, progress, notes, and a warning; `assemble` puts them and the panel's own in place.

    Parameters
    ----------
    viewer : napari.Viewer
    verb : str
        What the panel does, as on its button.
    task : str
        Of its models.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None, *, verb: str, task: str) -> None:
        super().__init__(parent)
        self.image = ImageBox(viewer)
        self.model = ModelBox(task=task)
        self.where = WhereBox(viewer, verb=verb)
        self.drift = DriftRow(viewer)
        engine = tuple(n for n in PredictOptions.model_fields if n not in ELSEWHERE)
        self.engine_form = OptionsForm(PredictOptions, engine, WORDS)
        self.resample_form = OptionsForm(PredictOptions, BESIDE_MODEL, WORDS)
        self.look_form = OptionsForm(LookOptions, tuple(LookOptions.model_fields), WORDS)
        self.copy_button = building.button(
            "Copy as command", f"Copy the 'bioseg {verb.lower()}' line that does the same without a window"
        )
        self.recipe_button = building.button(
            "Save recipe…", "Save model and options, for many images: panel Batch, or 'bioseg batch --recipe'"
        )

    def assemble(self, controls: list[building.Part], footer: list[building.Part]) -> None:
        """Put controls from top to bottom, the engine after them, and below what stays in view, under a warning."""
        tip = "How the network is run, and what is looked at before"
        engine = building.collapsible("Engine", tip, self.engine_form, self.look_form)
        self.lay_out([*controls, engine], [self.drift, *footer])
