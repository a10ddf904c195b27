"""Boxes as a person left them: what was found, with the edits of a journal."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.corrections.box_table import Mask
from napari_bioseg.corrections.contents import Contents
from napari_bioseg.corrections.history import History
from napari_bioseg.corrections.packing import unpack_mask
from napari_bioseg.corrections.project_info import BoxFacts
from napari_bioseg.corrections.records import BoxEdit, BoxRow, Light, Record, Redo, Thresholds, Undo, Verify
from napari_bioseg.corrections.verified import Verified


@dataclass(frozen=True)
class BoxStep:
    """What one edit did, exact both ways.

    Attributes
    ----------
    removed : dict
        By its number each box that was there before; None for a found one, which is known.
    added : dict
        Boxes by hand that were there afterwards, by their numbers.
    """

    removed: dict[int, BoxRow | None]
    added: dict[int, BoxRow]


@dataclass
class BoxesLeft:
    """Where the journal of a prediction of boxes ends.

    Attributes
    ----------
    there : ndarray of bool
        ``(N,)``, the found boxes that no hand deleted or changed.
    shown : ndarray of bool
        ``(N,)``, the found boxes that thresholds show.
    thresholds : dict
        Values of the sliders.
    verified : Verified
        The frames that were checked, as planes of the image.
    drawn : dict
        Boxes by hand that are there, by their numbers.
    added : int
        How many boxes by hand there ever were.
    steps : list of BoxStep
        All edits of the hand, also those that were undone; the first has number 1.
    history : History
        Which of them are done, and which can be redone.
    """

    there: Mask
    shown: Mask
    thresholds: dict[str, float | None]
    verified: Verified
    drawn: dict[int, BoxRow] = field(default_factory=dict)
    added: int = 0
    steps: list[BoxStep] = field(default_factory=list)
    history: History = field(default_factory=History)

    @property
    def edits(self) -> int:
        """How many edits of the hand count: those that are not undone."""
        return len(self.history.done)

    @classmethod
    def at_first(cls, facts: BoxFacts, shown: Mask) -> Self:
        """Return what there is without a journal.

        Parameters
        ----------
        facts : BoxFacts
        shown : ndarray of bool
            As stored with the boxes.
        """
        return cls(np.ones(len(shown), np.bool_), shown.copy(), dict(facts.thresholds), Verified(facts.shape))

    def follow(self, record: Record | Light) -> None:
        """Go along with one record of a journal.

        Raises
        ------
        KeyError
            A box is removed that is not there.
        ValueError, zlib.error
            It does not say which of these boxes are shown, or undoes or redoes an edit whose turn it is not.
        """
        match record:
            case BoxEdit(removed, added):
                numbered = dict(enumerate(added, len(self.there) + self.added))
                self.steps.append(BoxStep({number: self._remove(number) for number in removed}, numbered))
                self.drawn.update(numbered)
                self.added += len(added)
                self.history.follow(record)
            case Undo(id):
                self.history.follow(record)
                self._take_back(self.steps[id - 1])
            case Redo(id):
                self.history.follow(record)
                self._make_again(self.steps[id - 1])
            case Thresholds(values, shown):
                self.shown = unpack_mask(shown, self.shown.shape)
                self.thresholds = dict(values)
            case Verify(box, on):
                self.verified.mark(box, on)

    def boxes_by_hand(self) -> Boxes:
        """Return the boxes by hand, in the order in which they were drawn."""
        return hand_boxes(row for _, row in sorted(self.drawn.items()))

    def _take_back(self, step: BoxStep) -> None:
        for number in step.added:
            self._remove(number)
        for number, row in step.removed.items():
            if row is None:  # seen again, also where thresholds were moved meanwhile: somebody asked for it
                self.there[number] = self.shown[number] = True
            else:
                self.drawn[number] = row

    def _make_again(self, step: BoxStep) -> None:
        for number in step.removed:
            self._remove(number)
        self.drawn.update(step.added)

    def _remove(self, number: int) -> BoxRow | None:
        if number >= len(self.there):
            return self.drawn.pop(number)
        if not self.there[number]:
            raise KeyError(number)
        self.there[number] = False
        return None


def hand_boxes(rows: Iterable[BoxRow]) -> Boxes:
    """Return boxes by hand, in the order of their rows."""
    frame, z, y, x, height, width = np.array([*rows], float).reshape(-1, 6).T
    return Boxes.of(np.column_stack((y, x)), np.column_stack((height, width)), frame=frame, z=z, hand=True)


def boxes_left(path: Path, contents: Contents, left: BoxesLeft) -> BoxesLeft:
    """Follow a whole journal.

    Parameters
    ----------
    path : Path
        Of the journal, for the message.
    contents : Contents
        What was read from it.
    left : BoxesLeft
        As it began; changed in place.

    Raises
    ------
    UnreadableFileError
        It is of other boxes.
    """
    for number, record in enumerate(contents.records, 2):
        try:
            left.follow(record)
        except (KeyError, ValueError, zlib.error) as error:
            problem = f"line {number} does not fit the boxes of its folder ({error})"
            raise UnreadableFileError(str(path), problem, "Take the folder from a copy of the project") from error
    return left
