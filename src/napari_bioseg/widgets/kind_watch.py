"""What kind of image is chosen, found out in the background, so that a model for it is proposed."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.images import same_layer
from napari_bioseg.plugin.kind_look import known_kind, look_at_kind, proposed_kind, remember_kind
from napari_bioseg.plugin.session import model_image
from napari_bioseg.widgets.worker import Task

if TYPE_CHECKING:
    from napari_bioseg.workflows.identification import Identity


class KindWatch(QObject):
    """Has the model box of a panel propose what fits its image.

    Parameters
    ----------
    viewer : napari.Viewer
    panel : ModelPanel
    """

    found = Signal(object)  # Identity, once the model box knows of it

    def __init__(self, viewer: Any, panel: Any) -> None:
        super().__init__(panel)
        self._viewer, self._panel = viewer, panel
        self._at_work: Any = None  # the layer that is looked at
        panel.view.image.changed.connect(self.look)
        panel.warmed.connect(self.look)

    def look(self) -> None:
        """Look at the chosen image, unless it is known."""
        layer = self._panel.view.image.layer
        if layer is None or not self._panel.warm or same_layer(layer, self._at_work):
            return
        with suppress(BiosegError):  # its axes are not known yet: the panel asks for them
            image, channel = model_image(self._viewer, layer)
            known = known_kind(layer, channel)
            if known is not None:
                self._propose(layer, known)
                return

            def work(job: Job) -> Identity | None:
                return look_at_kind(image, channel, job)

            self._at_work = layer
            self._panel.view.model.set_kind("")
            task = Task(work, self)
            task.succeeded.connect(partial(self._arrived, layer, channel))
            task.finished.connect(self._over)
            task.start()

    def _arrived(self, layer: Any, channel: int, identity: Identity | None) -> None:
        if identity is not None:
            remember_kind(layer, channel, identity)
            self._propose(layer, identity)

    def _over(self) -> None:
        before, self._at_work = self._at_work, None
        if not same_layer(self._panel.view.image.layer, before):  # another was chosen meanwhile
            self.look()

    def _propose(self, layer: Any, identity: Identity) -> None:
        if same_layer(layer, self._panel.view.image.layer):
            self._panel.view.model.set_kind(proposed_kind(identity))
            self.found.emit(identity)
