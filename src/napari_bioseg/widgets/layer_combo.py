"""A combo box of the viewer's layers of one type."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_bioseg.plugin.images import same_layer
from napari_bioseg.plugin.layers import is_overlay
from napari_bioseg.widgets.connections import Connections


class LayerCombo(QComboBox):
    """Follows the viewer: layers come, go, are renamed, and the one selected in the list is chosen here too.

    Overlays of ours are left out: they would take the place of what they lie on as they are added.

    Parameters
    ----------
    viewer : napari.Viewer
    kind : type
        Of layer.
    """

    chosen = Signal()

    def __init__(self, viewer: Any, kind: type, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._kind = viewer, kind
        self._layers: list[Any] = []
        self._last: Any = None
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self._connections = Connections(self)
        events = viewer.layers.events
        for name in ("inserted", "removed", "reordered", "renamed"):
            if name in events.emitters:
                self._connections.add(getattr(events, name), self._refill)
        self._connections.add(viewer.layers.selection.events.active, self._follow)
        self.currentIndexChanged.connect(self._tell)
        self._refill()

    def layer(self) -> Any:
        """Return the chosen layer, or None."""
        i = self.currentIndex()
        return self._layers[i] if 0 <= i < len(self._layers) else None

    def choose(self, layer: Any) -> None:
        """Choose a layer of the viewer."""
        if layer in self._layers:
            self.setCurrentIndex(self._layers.index(layer))

    def _refill(self, _event: Any = None) -> None:
        before = self.layer()
        blocker = QSignalBlocker(self)
        self._layers = [v for v in self._viewer.layers if isinstance(v, self._kind) and not is_overlay(v)]
        self.clear()
        self.addItems([layer.name for layer in self._layers])
        self.setCurrentIndex(self._layers.index(before) if before in self._layers else len(self._layers) - 1)
        blocker.unblock()
        self._tell()

    def _follow(self, _event: Any = None) -> None:
        self.choose(self._viewer.layers.selection.active)

    def _tell(self) -> None:
        now = self.layer()
        if not same_layer(now, self._last):
            self._last = now
            self.chosen.emit()
