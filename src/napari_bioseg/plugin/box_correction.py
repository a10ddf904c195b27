"""Boxes that a person corrects: every edit of the hand goes to the journal as it happens. No Qt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.corrections.boxes_left import BoxesLeft
from napari_bioseg.corrections.history import History
from napari_bioseg.corrections.journal import Journal
from napari_bioseg.corrections.packing import pack_mask
from napari_bioseg.corrections.project import Project, Saved
from napari_bioseg.corrections.records import BoxEdit, Record, Redo, Thresholds, Undo, Verify
from napari_bioseg.plugin.box_rows import is_drawing, rows_of, show_left
from napari_bioseg.plugin.box_state import BoxState, boxes_of, column_of
from napari_bioseg.plugin.correction import tell_problems
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.projects import holder_of

UNDO, REDO = "Control-Z", "Control-Shift-Z"  # as napari has them for labels


class BoxCorrection:
    """What belongs to one layer of boxes that is being corrected.

    napari tells of an edit in many ways, so that what is recorded is the difference between the layer and where the
    journal ends.

    Parameters
    ----------
    layer : napari.layers.Shapes
        Itself, no proxy.
    state : BoxState
        Its own.
    project : Project
    saved : Saved
        The prediction that is corrected.
    left : BoxesLeft
        Where the journal ends.
    journal : Journal, optional
        None: the project is open elsewhere, and this layer only shows.
    """

    def __init__(
        self, layer: Any, state: BoxState, project: Project, saved: Saved, *, left: BoxesLeft, journal: Journal | None
    ) -> None:
        self.layer, self.state = layer, state
        self.project, self.saved, self.journal = project, saved, journal
        self._left = left
        self._records = journal.written if journal is not None else 0

    @property
    def writable(self) -> bool:
        """Whether the boxes can be corrected here."""
        return self.journal is not None

    @property
    def saved_all(self) -> bool:
        """Whether every edit is in the file."""
        return self.journal is None or self.journal.written >= self._records

    @property
    def history(self) -> History:
        """Which edits of the hand are done, and which can be redone."""
        return self._left.history

    def attach(self) -> None:
        """Record the edits of the layer from now on, and those that were made before; its keys undo and redo them."""
        self.layer.metadata[KEY] = {**self.layer.metadata[KEY], "correction": self}
        self.layer.events.editable.connect(self._only_show)
        self._only_show()
        self.state.edited.connect(self._edited)
        for key, act in ((UNDO, self.undo), (REDO, self.redo)):
            self.layer.bind_key(key, _pressed(act), overwrite=True)
        self.note()

    def note(self) -> None:
        """Record what differs from where the journal ends: also thresholds, which are no edits of the hand.

        Raises
        ------
        UnwritableFileError
            The journal takes no more.
        """
        if self.journal is not None and len(self.layer.features) == self.layer.nshapes:  # else it is being changed
            for record in list(self._differences()):
                self._record(record)

    def undo(self) -> None:
        """Take the last edit of the hand back; nothing while a box is being drawn or moved."""
        self._go(self._left.history.done, Undo)

    def redo(self) -> None:
        """Make the edit again that was taken back last."""
        self._go(self._left.history.undone, Redo)

    def close(self) -> None:
        """Save what is under way, and let go of the layer and the file."""
        self.state.edited.disconnect(self._edited, missing_ok=True)
        self.layer.events.editable.disconnect(self._only_show)
        for key in (UNDO, REDO):
            self.layer.bind_key(key, None, overwrite=True)
        self.note()
        journal, self.journal = self.journal, None
        if journal is not None:
            journal.close()

    def _only_show(self, _event: Any = None) -> None:
        """Keep the hand off boxes that cannot be recorded; napari lets it back on whenever it slices anew."""
        if not self.writable and self.layer.editable:
            self.layer.editable = False

    def _edited(self) -> None:
        tell_problems(self.note)

    def _record(self, record: Record) -> None:
        if self.journal is not None:
            self.journal.append(record)
            self._records += 1
            self._left.follow(record)

    def _go(self, steps: list[int], record: type[Undo] | type[Redo]) -> None:
        if self.journal is None or is_drawing(self.layer):
            return
        self.note()  # else a threshold that was moved just now would be lost
        if steps:
            self._record(record(steps[-1]))
            with self.state.edited.blocked():  # this is no edit
                show_left(self.layer, self._left)

    def _differences(self) -> Iterator[Record]:
        left, values = self._left, self.state.options.model_dump(mode="json")
        candidate, kept = column_of(self.layer, "candidate"), column_of(self.layer, "kept").astype(bool)
        found = candidate >= 0
        there, shown = (np.zeros(len(left.there), bool) for _ in range(2))
        there[candidate[found]], shown[candidate[found]] = True, kept[found]
        if values != left.thresholds or ((shown != left.shown) & there).any():
            yield Thresholds(values, pack_mask(shown))
        yield from self._by_hand(np.flatnonzero(left.there & ~there).tolist(), np.flatnonzero(~found))
        yield from self._checked()

    def _by_hand(self, deleted: list[int], rows: npt.NDArray[np.int64]) -> Iterator[Record]:
        now, gone = Counter(rows_of(boxes_of(self.layer, rows))), []
        for number, row in self._left.drawn.items():
            if now[row]:
                now[row] -= 1
            else:
                gone.append(number)
        if deleted or gone or now.total():
            yield BoxEdit((*deleted, *gone), tuple(now.elements()))

    def _checked(self) -> Iterator[Record]:
        *lead, height, width = self._left.verified.shape
        known = {plane for plane, state in self._left.verified.planes().items() if state == "all"}
        places = ({"T": frame, "Z": z} for frame, z in self.state.checked)
        now = {tuple(place[axis] for axis in self.state.axes[:-2]) for place in places}
        now = {plane for plane in now if all(0 <= i < n for i, n in zip(plane, lead, strict=True))}
        for plane in sorted(known ^ now):
            lead_box = tuple(slice(i, i + 1) for i in plane)
            yield Verify((*lead_box, slice(0, height), slice(0, width)), plane in now)


def _pressed(act: Callable[[], None]) -> Callable[[Any], None]:
    def pressed(_layer: Any) -> None:  # napari asks for the name of what is bound, which a partial has not
        tell_problems(act)

    return pressed


def box_correction_of(layer: Any) -> BoxCorrection | None:
    """Return the correction of a layer of boxes; None for others, and for copies that napari makes of one."""
    found = holder_of(layer)
    return found if isinstance(found, BoxCorrection) else None
