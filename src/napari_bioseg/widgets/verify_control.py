"""What is verified, in the panel "Correct": the strip of slices, and the buttons below it."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QObject

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.corrections.change import Box
from napari_bioseg.plugin.correction import Correction
from napari_bioseg.plugin.places import box_of, current_position, go_to
from napari_bioseg.widgets.shortcuts import KEYS
from napari_bioseg.widgets.where_box import drawn_shapes
from napari_bioseg.widgets.worker import show_problem

VOLUME = "ZYX"
WORDS = {"all": "verified", "part": "part"}


class VerifyControl(QObject):
    """What the controls do.

    Parameters
    ----------
    viewer : napari.Viewer
    view : CorrectView
    parent : QWidget
    """

    def __init__(self, viewer: Any, view: Any, parent: Any) -> None:
        super().__init__(parent)
        self._viewer, self._view = viewer, view
        self._correction: Correction | None = None
        view.verify_button.clicked.connect(self.verify_slice)
        view.region_button.clicked.connect(self.verify_region)
        view.frame_button.clicked.connect(self.verify_frame)
        view.strip.chosen.connect(self._go_to)
        self.show()

    def watch(self, correction: Correction | None) -> None:
        """Show those of this one from now on."""
        self._correction = correction
        axes = correction.saved.info.axes if correction is not None else ""
        self._view.frame_button.setVisible(len(axes) > len(VOLUME) and axes.endswith(VOLUME))
        self.show()

    def verify_slice(self) -> None:
        """Declare the slice on screen verified, or take that back."""
        correction = self._correction
        if correction is not None:
            plane, (height, width) = self._plane(correction), correction.labels.shape[-2:]
            on = correction.verified.state(plane) != "all"
            self._mark(correction, (*_one(plane), slice(0, height), slice(0, width)), on=on)

    def verify_region(self) -> None:
        """Declare the box of the selected shape verified, in the slice on screen, or take that back."""
        correction = self._correction
        if correction is None:
            return
        try:
            box = box_of(correction.layer, correction.saved.info.axes, "drawn", shapes=drawn_shapes(self._viewer))
        except BiosegError as error:
            show_problem(error)
            return
        place = (*_one(self._plane(correction)), *box[-2:])
        self._mark(correction, place, on=not correction.verified.mask(place).all())

    def verify_frame(self) -> None:
        """Declare all slices at the current time verified, or take that back."""
        correction = self._correction
        if correction is not None:
            frame, volume = self._plane(correction)[:-1], correction.labels.shape[-len(VOLUME) :]
            on = any(correction.verified.state((*frame, z)) != "all" for z in range(volume[0]))
            self._mark(correction, (*_one(frame), *(slice(0, n) for n in volume)), on=on)

    def show(self) -> None:
        """Show the state of every slice."""
        strip, correction = self._view.strip, self._correction
        for widget in (strip, self._view.verified):
            widget.setVisible(correction is not None)
        if correction is None:
            strip.set_states(())
            self._view.verified.setText("")
            return
        states = np.where(correction.touched > 0, "corrected", "draft").astype(object)
        for plane, state in correction.verified.planes().items():
            states[plane] = WORDS[state]
        words = states.ravel().tolist()
        strip.set_states(words)
        part = words.count("part")
        done = f"{words.count('verified')} of {len(words)} slices verified"
        self._view.verified.setText(f"{done}, {part} in part" if part else done)
        self.show_current()

    def show_current(self) -> None:
        """Mark the slice on screen."""
        correction = self._correction
        if correction is None or correction.layer not in self._viewer.layers:
            return
        plane, shape = self._plane(correction), correction.labels.shape[:-2]
        self._view.strip.set_current(int(np.ravel_multi_index(plane, shape)) if shape else 0)
        verb = "Unverify" if correction.verified.state(plane) == "all" else "Verify"
        self._view.verify_button.setText(f"{verb} slice ({KEYS['verify']})")

    def _mark(self, correction: Correction, box: Box, *, on: bool) -> None:
        try:
            correction.mark(box, on=on)
        except BiosegError as error:
            show_problem(error)

    def _go_to(self, index: int) -> None:
        if self._correction is not None:
            *lead, height, width = self._correction.labels.shape
            plane = np.unravel_index(index, lead) if lead else ()
            go_to(self._viewer, self._correction.layer, (*plane, height // 2, width // 2))

    def _plane(self, correction: Correction) -> tuple[int, ...]:
        return current_position(self._viewer, correction.layer)[:-2]


def _one(plane: tuple[int, ...]) -> Box:
    return tuple(slice(p, p + 1) for p in plane)
