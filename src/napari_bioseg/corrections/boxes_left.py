"""Boxes as a person left them: what was found, with the edits of a journal."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.corrections.box_table import Mask
from napari_bioseg.corrections.contents import Contents
from napari_bioseg.corrections.packing import unpack_mask
from napari_bioseg.corrections.project_info import BoxFacts
from napari_bioseg.corrections.records import BoxEdit, BoxRow, Light, Record, Thresholds, Verify
from napari_bioseg.corrections.verified import Verified


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
    edits : int
        How many edits the hand made.
    """

    there: Mask
    shown: Mask
    thresholds: dict[str, float | None]
    verified: Verified
    drawn: dict[int, BoxRow] = field(default_factory=dict)
    added: int = 0
    edits: int = 0

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
            It does not say which of these boxes are shown.
        """
        match record:
            case BoxEdit(removed, added):
                self._remove(removed)
                self.drawn.update(enumerate(added, len(self.there) + self.added))
                self.added += len(added)
                self.edits += 1
            case Thresholds(values, shown):
                self.shown = unpack_mask(shown, self.shown.shape)
                self.thresholds = dict(values)
            case Verify(box, on):
                self.verified.mark(box, on)

    def boxes_by_hand(self) -> Boxes:
        """Return the boxes by hand, in the order in which they were drawn."""
        frame, z, y, x, height, width = np.array([*self.drawn.values()], float).reshape(-1, 6).T
        return Boxes.of(np.column_stack((y, x)), np.column_stack((height, width)), frame=frame, z=z, hand=True)

    def _remove(self, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            if number >= len(self.there):
                del self.drawn[number]
            elif self.there[number]:
                self.there[number] = False
            else:
                raise KeyError(number)


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
