"""Where next, in the panel "Correct": the slice where a correction is expected to teach most, and the map behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_bioseg.core.errors import BiosegError, EditError
from napari_bioseg.plugin.correction import Correction
from napari_bioseg.plugin.places import current_position, go_to
from napari_bioseg.plugin.session import model_image
from napari_bioseg.plugin.where_next import MEASURES, Measure, WhereNext, look_ahead, next_unverified, show_uncertainty
from napari_bioseg.widgets.worker import show_problem


class NextControl(QObject):
    """What the controls do.

    Parameters
    ----------
    viewer : napari.Viewer
    view : CorrectView
    parent : CorrectPanel
        Its ``start`` runs jobs.
    """

    went = Signal(object)  # the Suggestion, or None where slices were only gone through in order

    def __init__(self, viewer: Any, view: Any, parent: Any) -> None:
        super().__init__(parent)
        self._viewer, self._view, self._panel = viewer, view, parent
        self._correction: Correction | None = None
        self._found: dict[Measure, WhereNext] = {}
        self._map: Any = None
        for measure, words in MEASURES.items():
            view.measure.addItem(words, measure)
        view.next_button.clicked.connect(self.go)
        view.map.toggled.connect(self._map_toggled)
        view.measure.activated.connect(self._measure_changed)

    def watch(self, correction: Correction | None) -> None:
        """Look ahead in this one from now on."""
        self._drop_map()
        self._view.map.setChecked(False)
        self._correction, self._found = correction, {}
        self._say("")

    def look(self) -> None:
        """Untick the box when the user has removed the map."""
        if self._map is not None and self._map not in self._viewer.layers:
            self._view.map.setChecked(False)

    def go(self) -> None:
        """Go to where a correction is expected to teach most."""
        correction = self._correction
        if correction is None or self._panel.running:
            return
        if correction.saved.probabilities() is None:
            self._go_on(correction)
        else:
            self._with(self._go_best)

    def _with(self, then: Callable[[WhereNext], None]) -> None:
        """Call `then` with what was measured, now or once it is."""
        measure: Measure = self._view.measure.currentData()
        if measure in self._found:
            then(self._found[measure])
            return
        if self._correction is None or self._panel.running:
            return
        try:
            image = self._image()
        except BiosegError as error:
            show_problem(error)
            return
        work = partial(look_ahead, self._correction, image, measure)
        self._panel.start(work, "Looking ahead", partial(self._measured, measure, then))

    def _image(self) -> Any:
        layer = self._view.image.layer()
        return model_image(self._viewer, layer)[0] if layer is not None else None

    def _measured(self, measure: Measure, then: Callable[[WhereNext], None], found: WhereNext) -> None:
        if found.correction is self._correction:
            self._found[measure] = found
            then(found)

    def _go_best(self, found: WhereNext) -> None:
        suggestion = found.suggest()
        if suggestion is None:
            self._say("Everything is verified.")
        else:
            centre = [(s.start + s.stop) / 2 for s in suggestion.box]
            go_to(self._viewer, found.correction.layer, (*suggestion.plane, *centre))
            self._say(suggestion.reason)
        self.went.emit(suggestion)

    def _go_on(self, correction: Correction) -> None:
        plane = next_unverified(correction, current_position(self._viewer, correction.layer)[:-2])
        if plane is None:
            self._say("Everything is verified.")
        else:
            height, width = correction.labels.shape[-2:]
            go_to(self._viewer, correction.layer, (*plane, height // 2, width // 2))
            self._say("The next slice that is not verified: of these labels no probabilities are known.")
        self.went.emit(None)

    def _map_toggled(self, on: bool) -> None:
        self._drop_map()
        if not on or self._correction is None:
            return
        if self._correction.saved.probabilities() is None:
            self._view.map.setChecked(False)
            problem = "of these labels no probabilities are known"
            show_problem(EditError(self._correction.saved.info.name, problem, "Start correcting a prediction"))
            return
        self._with(self._show_map)

    def _measure_changed(self, _index: int) -> None:
        if self._view.map.isChecked():
            self._map_toggled(True)

    def _show_map(self, found: WhereNext) -> None:
        if self._view.map.isChecked():
            self._drop_map()
            self._map = show_uncertainty(self._viewer, found)

    def _drop_map(self) -> None:
        if self._map is not None and self._map in self._viewer.layers:
            self._viewer.layers.remove(self._map)
        self._map = None

    def _say(self, words: str) -> None:
        self._view.reason.setText(words)
        self._view.reason.setVisible(bool(words))
