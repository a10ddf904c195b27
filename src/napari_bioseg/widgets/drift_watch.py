"""The first look of panels that run a model: it goes ahead of the prediction, and its warning is shown beside it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_bioseg.plugin.drift_entries import Remedy, for_kind, remedy, warning
from napari_bioseg.plugin.first_look import Checked, Findings, FirstLook, first_look, remember_look
from napari_bioseg.plugin.images import image_of_layer
from napari_bioseg.plugin.kind_look import misfit
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

    warned = Signal(str)  # the words, once they are on screen
    _found = Signal(object, object)

    def __init__(self, viewer: Any, panel: Any) -> None:
        super().__init__(panel)
        self._viewer, self._panel, self._row = viewer, panel, panel.view.drift
        self._look: FirstLook | None = None  # that the row tells of
        self.checked: Checked | None = None  # how far its image is from the training
        self._better: str | None = None  # a model for the image's kind
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
            self._hide()
            return None
        layer, card = self._panel.chosen()
        options = drift_options(request.options, preview=getattr(request, "preview", False))

        def tell(found: Findings) -> None:
            with suppress(RuntimeError):  # the panel is gone
                self._found.emit(look, found)

        look = first_look(layer, card, request.image, options, tell)
        self._show(look, look.known or Findings())
        return look

    def fix(self) -> None:
        """Take the model for such images, or do something about the most telling cause."""
        if self._better is not None:
            self._panel.view.model.choose(self._better)
        elif self.checked is not None:
            apply_remedy(self._viewer, self._panel, self.checked, self.checked.drift.causes[0])

    def show_details(self) -> None:
        """Open the panel Drift on what the row warns of."""
        checked = self.checked
        panel = open_panel(self._viewer, "Drift") if checked is not None else None
        if panel is not None:
            panel.show_checked(checked)

    def _arrived(self, look: FirstLook, found: Findings) -> None:
        remember_look(look, found)
        if self._chosen(look):
            self._show(look, found)

    def _show(self, look: FirstLook, found: Findings) -> None:
        """Warn of another kind of image first: what makes it unlike the training follows from that."""
        drift, card, words = found.drift, look.card, misfit(found.identity, look.card, found.drift)
        causes = drift.causes if drift is not None else ()
        if not (words or causes):
            self._hide()
            return
        self._look = look
        self._row.setVisible(True)
        self.checked = Checked(look.layer, card, drift) if drift is not None else None
        self._better = self._panel.view.model.made_for(found.identity.kind) if words and found.identity else None
        button: Remedy | None
        if words:
            button = for_kind(self._better) if self._better else None
        else:
            button = remedy(causes[0], card, image_of_layer(look.layer))
        every = "\n".join(f"• {w}" for w in (*([words] if words else []), *(c.words for c in causes)))
        mild = not words and drift is not None and drift.worse is False
        text = words if words or drift is None else warning(drift)
        self._row.warn(text, f"Unlike what {card.name} was trained on:\n{every}", button, mild=mild)
        self._row.details_button.setVisible(self.checked is not None)
        self.warned.emit(text)

    def _hide(self) -> None:
        self._look = self.checked = self._better = None
        self._row.setVisible(False)

    def _choice_changed(self) -> None:
        if self._look is not None and not self._chosen(self._look):
            self._hide()

    def _chosen(self, look: FirstLook) -> bool:
        return look.is_of(self._panel.view.image.layer, self._panel.view.model.card())

    def _show_theme(self, _event: Any) -> None:
        self._row.show_theme(self._viewer.theme)
