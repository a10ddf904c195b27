"""Which image is segmented: the layer, its axes and its pixel size."""

from __future__ import annotations

from typing import Any

from napari.layers import Image as ImageLayer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QAction, QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_bioseg.core.errors import BiosegError, UnknownAxesError
from napari_bioseg.core.image import Image
from napari_bioseg.plugin.facts import describe_image
from napari_bioseg.plugin.images import axes_answered, axes_question, opened_with_answer, set_axes, source_of
from napari_bioseg.plugin.session import model_image
from napari_bioseg.widgets.axes_dialog import ask_axes
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.layer_combo import LayerCombo
from napari_bioseg.widgets.open_command import open_file, open_folder, open_path


class ImageBox(QWidget):
    """Layer combo, an Open button, what is known of the image, and a button for axes that are unknown or were answered.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    changed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.combo = LayerCombo(viewer, ImageLayer)
        self.combo.setToolTip("Image layer to segment; follows the layer list")
        self.combo.setAccessibleName("Image")
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.axes_button = QPushButton()
        self.axes_button.setToolTip("The image does not say whether its planes are depth, time or channels")
        self.axes_button.clicked.connect(self.ask_axes)
        row = QHBoxLayout()
        row.addWidget(self.combo, 1)
        row.addWidget(self._open_button())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.facts)
        layout.addWidget(self.axes_button)
        self._watched: Connections | None = None
        self.combo.chosen.connect(self._look)
        self._look()

    @property
    def layer(self) -> Any:
        """The chosen layer, or None."""
        return self.combo.layer()

    def image(self) -> Image | None:
        """Return the image of the chosen layer; None while there is none or its axes are unknown."""
        if self.layer is None:
            return None
        try:
            return model_image(self._viewer, self.layer)[0]
        except BiosegError:
            return None

    def ask_axes(self) -> None:
        """Ask what the dimensions are; a file is opened again with the answer, which is remembered for its folder."""
        layer = self.layer
        source, _ = source_of(layer)
        if source is not None and opened_with_answer(layer):
            open_path(self._viewer, source, again=True)
            return
        answer = ask_axes(axes_question(layer), None, self)
        if answer is not None:
            set_axes(layer, answer[0])
            self._look()

    def refresh(self, _event: Any = None) -> None:
        """Look at the layer again: its scale or its units were changed."""
        self._look()

    def _look(self) -> None:
        self._watch()
        unknown = answered = False
        if self.layer is None:
            self.facts.setText("Open an image, drop one on the window, or take one from File → Open Sample → BioSeg.")
        else:
            answered = axes_answered(self.layer)
            try:
                self.facts.setText(describe_image(model_image(self._viewer, self.layer)[0]))
            except BiosegError as error:
                unknown = isinstance(error, UnknownAxesError)
                self.facts.setText(str(error))
        self.axes_button.setText("Change dimensions…" if answered else "Say what its dimensions are…")
        self.axes_button.setVisible(unknown or answered)
        self.changed.emit()

    def _watch(self) -> None:
        if self._watched is not None:
            self._watched.close()
        self._watched = Connections(self)
        if self.layer is not None:
            for name in ("scale", "units", "axis_labels"):
                self._watched.add(getattr(self.layer.events, name), self.refresh)

    def _open_button(self) -> QPushButton:
        button = QPushButton("Open")
        button.setToolTip("Open an image file, a folder of planes, or an OME-Zarr")
        menu = QMenu(button)
        for words, action in (("File…", open_file), ("Folder or OME-Zarr…", open_folder)):
            entry = QAction(words, menu)
            entry.triggered.connect(lambda _=False, act=action: act(self._viewer))
            menu.addAction(entry)
        button.setMenu(menu)
        return button
