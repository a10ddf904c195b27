"""The boxes of checked frames of a project, as a run keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.corrections.boxes_left import BoxesLeft, boxes_left
from napari_bioseg.corrections.contents import read_journal
from napari_bioseg.corrections.project import Saved
from napari_bioseg.corrections.verified import Verified

_UNCHECKED = 64  # frames to hold a detector to: more would cost memory and say little new
_KINDS = {"planes": "<i8", "plane": "<i8", "centre": "<f8", "size": "<f8", "hand": "u1"}


@dataclass(frozen=True, eq=False)
class CheckedBoxes:
    """Boxes as a person left them.

    Attributes
    ----------
    saved : Saved
        The prediction that was corrected.
    boxes : Boxes
        Those that are shown, found or drawn.
    verified : Verified
        The frames that were checked.
    records : int
        How many the journal held as it was read.
    """

    saved: Saved
    boxes: Boxes
    verified: Verified
    records: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the image that they were found in."""
        return self.saved.info.boxes.shape if self.saved.info.boxes is not None else ()


@dataclass(frozen=True, eq=False)
class BoxPart:
    """Checked frames of a project.

    Attributes
    ----------
    planes : ndarray
        Int64 ``(P,)``, their numbers along the axis before Y and X.
    plane : ndarray
        Int64 ``(N,)``, of each box: which of `planes`.
    centre, size : ndarray
        Float64 ``(N, 2)``, pixels.
    hand : ndarray
        Bool ``(N,)``, whether a person drew or changed it.
    """

    planes: npt.NDArray[np.int64]
    plane: npt.NDArray[np.int64]
    centre: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    hand: npt.NDArray[np.bool_]

    @property
    def sha256(self) -> str:
        """Checksum of all of it."""
        digest = hashlib.sha256()
        for name, kind in _KINDS.items():
            digest.update(np.ascontiguousarray(getattr(self, name), dtype=kind).data)
        return digest.hexdigest()

    def boxes(self, axes: str) -> Boxes:
        """Return the boxes in a stack of these planes alone.

        Parameters
        ----------
        axes : str
            Of the stack: YX, TYX or ZYX.
        """
        frame, z = (0, self.plane) if "Z" in axes else (self.plane, 0)
        return Boxes.of(self.centre, self.size, frame=frame, z=z, hand=self.hand)


def read_checked(saved: Saved) -> CheckedBoxes:
    """Read the boxes of a prediction with all edits; a window may go on correcting meanwhile.

    Raises
    ------
    UnreadableFileError
        The boxes or the journal are damaged.
    """
    found, shown = saved.boxes()
    facts = saved.info.boxes
    if facts is None:
        raise UnreadableFileError(str(saved.folder), "holds labels, not boxes", "Choose a prediction of boxes")
    left, records = BoxesLeft.at_first(facts, shown), 0
    if saved.journal.is_file():
        contents = read_journal(saved.journal)
        boxes_left(saved.journal, contents, left)
        records = len(contents.records)
    kept = Boxes.joined([found[left.there & left.shown], left.boxes_by_hand()])
    return CheckedBoxes(saved, kept, left.verified, records)


def take_box_part(checked: CheckedBoxes, planes: tuple[int, ...]) -> BoxPart:
    """Return the boxes of these planes of an image with no or one axis before Y and X."""
    number = checked.boxes.z if "Z" in checked.saved.info.axes else checked.boxes.frame
    wanted = np.isin(number, planes)
    kept, place = checked.boxes[wanted], np.searchsorted(planes, number[wanted]).astype(np.int64)
    return BoxPart(np.array(planes, np.int64), place, kept.centre, kept.size, kept.hand)


def unchecked_frames(checked: CheckedBoxes, held_out: Iterable[int]) -> tuple[int, ...]:
    """Return frames that nobody checked and that lie apart from what is held out, of many some that lie evenly.

    Parameters
    ----------
    checked : CheckedBoxes
    held_out : iterable of int
        Frames, numbered along the axis before Y and X, as those that are returned.
    """
    taken = {plane[0] if plane else 0 for plane in checked.verified.planes()}
    taken |= {number + d for number in held_out for d in (-1, 0, 1)}
    count = checked.shape[0] if len(checked.shape) > 2 else 1
    free = [number for number in range(count) if number not in taken]
    return tuple(free[:: -(-len(free) // _UNCHECKED) or 1])
