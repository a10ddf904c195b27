"""Where the controls of the panel "Detect" stand. What they do is in `detect_panel`."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget

from napari_bioseg.widgets import building
from napari_bioseg.widgets.boxes_view import BoxesView
from napari_bioseg.widgets.model_view import ModelView
from napari_bioseg.widgets.options_form import OptionsForm
from napari_bioseg.widgets.shortcuts import KEYS


class DetectView(ModelView):
    """All controls from top to bottom, in the order in which they are used; what concerns files stays in view.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent, verb="Detect", task="detection")
        self.boxes = BoxesView(viewer)
        self.detect_button = building.button(
            f"Detect ({KEYS['detect']})", f"Find boxes where chosen above; {KEYS['cancel_detect']} cancels"
        )
        self.open_button = building.button(
            "Open…", "Open boxes from a file onto this image: CSV, YOLO text or COCO JSON"
        )
        self.save_button = building.button("Save…", "Save the boxes that are shown as CSV, with µm where known")
        self.start_button = building.button(
            "Start correcting",
            "Store the boxes in the project of their image; every edit by hand and every checked frame is kept",
        )
        self.continue_button = building.button(
            "Continue where you stopped", "Open the boxes of this image as they were left, with every edit"
        )
        self.undo_button = building.button("Undo (Ctrl+Z)", "Take the last edit of boxes back, any number of them")
        self.redo_button = building.button("Redo (Ctrl+Shift+Z)", "Make the edit again that was taken back")
        for button in (self.continue_button, self.undo_button, self.redo_button):
            button.setVisible(False)
        self.state = building.notes()
        self.state.setMinimumWidth(1)  # the name of a file must not make the panel wider
        controls: list[building.Part] = [
            building.title("Image"), self.image,
            building.title("Model"), self.model, self.resample_form,
            building.title("Where"), self.where, self.detect_button,
            building.title("Boxes, tuned live"), self.start_button, self.continue_button, self.state, self.boxes,
        ]  # fmt: skip
        files = building.row(self.open_button, self.save_button)
        steps = building.row(self.undo_button, self.redo_button)
        self.assemble(
            controls,
            [steps, self.progress, self.notes, files, building.row(self.copy_button, self.recipe_button)],
        )

    @property
    def forms(self) -> tuple[OptionsForm, ...]:
        """All forms of options."""
        return self.boxes.form, self.resample_form, self.engine_form, self.look_form
