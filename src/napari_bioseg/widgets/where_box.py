"""Which part of the image: all, what is visible, or a drawn rectangle; every plane or the current one."""

from __future__ import annotations

from typing import Any

from napari.layers import Shapes
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_bioseg.models import Card
from napari_bioseg.plugin.box_state import state_of
from napari_bioseg.plugin.images import same_layer
from napari_bioseg.plugin.places import Area

AREAS: tuple[tuple[str, Area, str], ...] = (
    ("Whole image", "whole", "All of Y and X"),
    ("Visible region", "visible", "What the canvas shows now"),
    ("Drawn rectangle", "drawn", "The selected, or last, shape of the Shapes layer"),
)
SHAPES_NAME = "region"


class WhereBox(QWidget):
    """Area and planes.

    Parameters
    ----------
    viewer : napari.Viewer
    verb : str
        What is done there, as on the button.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None, *, verb: str = "Segment") -> None:
        super().__init__(parent)
        self._verb = verb
        self._viewer = viewer
        self.area_combo = QComboBox()
        self.area_combo.setAccessibleName("Area")
        self.area_combo.setToolTip(f"Part of each plane that {verb} works on (the option 'region')")
        for words, area, tip in AREAS:
            self.area_combo.addItem(words, area)
            self.area_combo.setItemData(self.area_combo.count() - 1, tip, 3)  # Qt.ToolTipRole
        self.draw_button = QPushButton("Draw")
        self.draw_button.setToolTip("Add a Shapes layer and draw a rectangle on the image")
        self.draw_button.clicked.connect(self.draw)
        self.current_check = QCheckBox("Current plane only")
        row = QHBoxLayout()
        row.addWidget(self.area_combo, 1)
        row.addWidget(self.draw_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.current_check)
        self.set_stack("", None)

    @property
    def area(self) -> Area:
        """The chosen area."""
        return self.area_combo.currentData()

    @property
    def current(self) -> bool:
        """Whether only the current plane or volume is wanted."""
        return self.current_check.isEnabled() and self.current_check.isChecked()

    def shapes(self) -> Any:
        """Return the Shapes layer that counts, as `drawn_shapes`."""
        return drawn_shapes(self._viewer)

    def set_stack(self, axes: str, card: Card | None) -> None:
        """Offer "current only" in the words of the image and the model.

        Parameters
        ----------
        axes : str
            Of the image.
        card : Card or None
            Of the model.
        """
        seen = card.input.axes if card is not None else "YX"
        fixed = [a for a in axes if a not in seen and a not in "CS"]
        self.current_check.setEnabled(bool(fixed))
        volume = "Z" in seen
        self.current_check.setText("Current volume only" if volume else "Current plane only")
        what = "volume at the current time" if volume else "plane on screen"
        tip = (
            f"{self._verb} the {what}, not all along {', '.join(fixed)}"
            if fixed
            else "The image has nothing else than this"
        )
        self.current_check.setToolTip(tip)

    def draw(self) -> None:
        """Let the user draw a rectangle."""
        layer = self.shapes()
        if layer is None:
            units = getattr(self._viewer.dims, "units", None)
            layer = self._viewer.add_shapes(
                name=SHAPES_NAME, edge_color="#ffd166", face_color="#00000000", edge_width=1, ndim=2,
                units=units and units[-2:],
            )  # fmt: skip
        self._viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"
        self.area_combo.setCurrentIndex(2)


def drawn_shapes(viewer: Any) -> Any:
    """Return the Shapes layer that counts: the active one, else the last, detected boxes aside; None for none."""
    active = viewer.layers.selection.active
    found = [v for v in viewer.layers if isinstance(v, Shapes) and state_of(v) is None]
    if any(same_layer(active, v) for v in found):
        return active
    return found[-1] if found else None
