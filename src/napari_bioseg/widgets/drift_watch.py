"""The first look of panels that run a model: it goes ahead of the prediction, and its warning is shown beside it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_bioseg.plugin.drift_entries import remedy
from napari_bioseg.plugin.first_look import Checked, FirstLook, first_look, remember_look
from napari_bioseg.plugin.images import image_of_layer
from napari_bioseg.widgets.connections import Connections
from napari_bioseg.widgets.drift_remedies import apply_remedy, open_panel
from napari_bioseg.workflows.drift_look import drift_options


class DriftWatch(QObject):
    """Fills the `DriftRow` of a panel.

    Parameters
    ----------
    viewer : napari.Viewer
    panel : ModelPanel
        Its view has the row as ``drift``.
    """

    warned = Signal(object)  # Checked, once the warning is on screen
    _found = Signal(object, object)

    def __init__(self, viewer: Any, panel: Any) -> None:
        super().__init__(panel)
        self._viewer, self._panel, self._row = viewer, panel, panel.view.drift
        self.checked: Checked | None = None  # what the row shows
        self._found.connect(self._arrived)
        self._row.fix_button.clicked.connect(self.fix)
        self._row.details_button.clicked.connect(self.show_details)
        panel.view.image.changed.connect(self._choice_changed)
        panel.view.model.changed.connect(self._choice_changed)
        self._connections = Connections(panel)
        if hasattr(viewer, "theme"):
            self._connections.add(viewer.events.theme, self._show_theme)

    def look(self, request: Any) -> FirstLook | None:
        """Return the first step of what a panel is about to do; a warning that is known is shown at once.

        None where the options want no look.

        Parameters
        ----------
        request : Request or BoxRequest
        """
        if not request.options.drift:
            self._show(None)
            return None
        layer, card = self._panel.chosen()
        options = drift_options(request.options, preview=getattr(request, "preview", False))

        def tell(checked: Checked) -> None:
            with suppress(RuntimeError):  # the panel is gone
                self._found.emit(look, checked)

        look = first_look(layer, card, request.image, options, tell)
        self._show(None if look.known is None else Checked(layer, card, look.known))
        return look

    def fix(self) -> None:
        """Do something about the most telling cause."""
        if self.checked is not None:
            apply_remedy(self._viewer, self._panel, self.checked, self.checked.drift.causes[0])

    def show_details(self) -> None:
        """Open the panel Drift on what the row warns of."""
        checked = self.checked
        panel = open_panel(self._viewer, "Drift") if checked is not None else None
        if panel is not None:
            panel.show_checked(checked)

    def _arrived(self, look: FirstLook, checked: Checked) -> None:
        remember_look(look, checked.drift)
        if self._chosen(checked):
            self._show(checked)

    def _show(self, checked: Checked | None) -> None:
        self.checked = checked = checked if checked is not None and checked.drift.warned else None
        if checked is None:
            self._row.setVisible(False)
            return
        cause, every = checked.drift.causes[0], "\n".join(f"• {c.words}" for c in checked.drift.causes)
        button = remedy(cause, checked.card, image_of_layer(checked.layer))
        self._row.warn(cause.words, f"Unlike what {checked.card.name} was trained on:\n{every}", button)
        self.warned.emit(checked)

    def _choice_changed(self) -> None:
        if self.checked is not None and not self._chosen(self.checked):
            self._show(None)

    def _chosen(self, checked: Checked) -> bool:
        return checked.is_of(self._panel.view.image.layer, self._panel.view.model.card())

    def _show_theme(self, _event: Any) -> None:
        self._row.show_theme(self._viewer.theme)
