"""Where the controls of the panel "Correct" stand. What they do is in `correct_panel`."""

from __future__ import annotations

from typing import Any

from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_bioseg.editing.scene import EditOptions
from napari_bioseg.editing.tools import TOOLS
from napari_bioseg.widgets import building
from napari_bioseg.widgets.layer_combo import LayerCombo
from napari_bioseg.widgets.options_form import OptionsForm
from napari_bioseg.widgets.panel_view import PanelView
from napari_bioseg.widgets.shortcuts import KEYS, NAPARI_KEYS
from napari_bioseg.widgets.verified_strip import VerifiedStrip

COLUMNS = 2
WORDS = {"radius": "Radius (px)", "min_size": "Min. size (px)", "pieces": "Only the piece"}


class ToolButtons(QWidget):
    """One button a tool; those that wait for clicks stay pressed meanwhile."""

    pressed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        self.group = QButtonGroup(self)
        self.group.setExclusive(False)
        self.buttons: dict[str, QPushButton] = {}
        for i, (name, tool) in enumerate(TOOLS.items()):
            made = building.button(f"{tool.title} ({short(tool.key)})", tool.tip)
            made.setCheckable(tool.clicks != 0)
            made.clicked.connect(lambda _on=False, n=name: self.pressed.emit(n))
            self.group.addButton(made)
            grid.addWidget(made, i // COLUMNS, i % COLUMNS)
            self.buttons[name] = made

    def mark(self, name: str | None) -> None:
        """Show which tool waits for clicks."""
        for own, made in self.buttons.items():
            made.setChecked(made.isCheckable() and own == name)


class CorrectView(PanelView):
    """All controls from top to bottom, in the order in which they are used.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.labels = LayerCombo(viewer, Labels)
        self.labels.setToolTip("Labels to correct; follows the layer list")
        self.labels.setAccessibleName("Labels")
        self.image = LayerCombo(viewer, Image)
        self.image.setToolTip("The image under them: the project is kept beside its file")
        self.image.setAccessibleName("Image")
        self.start_button = building.button(
            "Start correcting",
            "Store the labels in the project of their image, and open a copy to paint on; every stroke is kept",
        )
        self.continue_button = building.button(
            "Continue where you stopped", "Open the labels of this image as they were left, with every stroke"
        )
        self.continue_button.setVisible(False)
        self.state = building.notes()
        self._edit_controls()
        self._verify_controls()
        self.save_button = building.button("Save…", "Save the corrected labels with scale and provenance")
        self.open_button = building.button("Open project…", "Choose a folder whose name ends in .bioseg")
        self._assemble()

    def _edit_controls(self) -> None:
        self.tools = ToolButtons()
        self.hint = building.notes()
        self.form = OptionsForm(EditOptions, tuple(EditOptions.model_fields), WORDS)
        self.volume = QCheckBox("In 3-D")
        self.volume.setToolTip("Tools and brush work on the whole volume, not on the slice alone")
        self.undo_button = building.button("Undo (Ctrl+Z)", "Take the last step back: strokes and tools, any number")
        self.redo_button = building.button("Redo (Ctrl+Shift+Z)", "Make the step again that was taken back")
        self.changes = QCheckBox("Show changes")
        self.changes.setToolTip("Overlay what was added (green), removed (red) and relabelled (blue)")
        self.counts = building.notes()

    def _verify_controls(self) -> None:
        self.strip = VerifiedStrip()
        self.verify_button = building.button(
            f"Verify slice ({KEYS['verify']})",
            "Declare the labels of this slice true, also where nothing was changed; again to take it back",
        )
        self.region_button = building.button(
            "Verify drawn region",
            "Declare the labels in the selected shape of a Shapes layer true, in this slice; again to take it back",
        )
        self.frame_button = building.button(
            "Verify frame", "Declare all slices of this volume of a movie true; again to take it back"
        )
        self.frame_button.setVisible(False)
        self.next_button = building.button(
            f"Next ({KEYS['next']})", "Go to the slice where a correction is expected to teach most"
        )
        self.verified = QLabel()
        self.verified.setWordWrap(True)
        self.reason = building.notes()
        self.measure = QComboBox()
        self.measure.setToolTip("How it is measured where the model is unsure")
        self.measure.setAccessibleName("Uncertainty")
        self.measure.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.measure.setMinimumContentsLength(12)
        self.map = QCheckBox("Map")
        self.map.setToolTip("Show where the model is unsure, as an image: bright is unsure")

    def _assemble(self) -> None:
        options = building.collapsible("Options of the tools", "How far and how much the tools do", self.form)
        keys = building.collapsible("Keyboard shortcuts", "While the corrected layer is active", shortcut_list())
        controls: list[building.Part] = [
            building.title("Labels"), self.labels, self.image,
            self.start_button, self.continue_button, self.state,
            building.title("Tools"), self.tools, self.hint, building.row(self.volume, self.changes), self.counts,
            options,
            building.title("Verified"), self.strip, self.verified,
            building.row(self.verify_button, self.region_button), self.frame_button,
            building.title("Where next"), building.row(self.next_button, self.map), self.measure, self.reason,
            keys,
        ]  # fmt: skip
        footer: list[building.Part] = [
            building.row(self.undo_button, self.redo_button),
            self.progress,
            self.notes,
            building.row(self.save_button, self.open_button),
        ]
        self.lay_out(controls, footer)


def shortcut_list() -> QLabel:
    """Return all keys that work on the corrected layer, ours and napari's."""
    ours = {KEYS["verify"]: "verify the slice", KEYS["next"]: "where next"}
    tools = {tool.key: tool.title.lower() for tool in TOOLS.values()}
    rows = {**ours, **tools, "Enter": "end of clicks", "Escape": "leave the tool", **NAPARI_KEYS}
    made = QLabel("<br>".join(f"<b>{short(key)}</b> {words}" for key, words in rows.items()))
    made.setWordWrap(True)
    return made


def short(key: str) -> str:
    """Return a key as menus write it."""
    return key.replace("Shift-", "⇧").replace("Shift+", "⇧").replace("Control-", "Ctrl+")
