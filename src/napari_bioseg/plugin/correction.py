"""Labels that a person corrects: every change of their layer goes to the journal as it happens. No Qt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_bioseg.core.errors import BiosegError, EditError
from napari_bioseg.corrections.change import Box, Change, Patch
from napari_bioseg.corrections.history import History
from napari_bioseg.corrections.journal import Journal
from napari_bioseg.corrections.project import Project, Saved
from napari_bioseg.corrections.records import Record, Redo, Step, Undo, Verify
from napari_bioseg.corrections.verified import Verified
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.plugin.session import is_painting
from napari_bioseg.plugin.strokes import change_of

BLOCK = 2**24  # pixels that are compared at once


class Correction:
    """What belongs to one layer that is being corrected.

    Parameters
    ----------
    labels : array
        Uint32, numpy or zarr; what the layer shows.
    project : Project
    saved : Saved
        The prediction that is corrected.
    history : History
    verified : Verified
    journal : Journal, optional
        None: the project is open elsewhere, and this layer only shows.
    touched : ndarray of int
        How many steps there are in each slice, of the shape of the labels without its last two axes.
    next_id : int
        Number of the next step.
    """

    changed = Signal(Change)  # the pixels of this step have changed, maybe back
    marked = Signal()  # what is verified has changed

    def __init__(
        self,
        labels: Any,
        project: Project,
        saved: Saved,
        *,
        history: History,
        verified: Verified,
        journal: Journal | None,
        touched: npt.NDArray[np.int64],
        next_id: int = 1,
    ) -> None:
        self.labels, self.project, self.saved = labels, project, saved
        self.history, self.verified, self.journal = history, verified, journal
        self.touched, self._next = touched, next_id
        self._records = journal.written if journal is not None else 0
        self.base = saved.labels()
        self.highest: int | None = None  # label anywhere, once a tool had to know
        self.busy = False
        self.layer: Any = None
        self._mode: Any = None

    @property
    def writable(self) -> bool:
        """Whether the labels can be corrected here."""
        return self.journal is not None

    @property
    def saved_all(self) -> bool:
        """Whether every step is in the file."""
        return self.journal is None or self.journal.written >= self._records

    def attach(self, layer: Any) -> None:
        """Take over a layer: its strokes are recorded, and its Undo and Redo are ours, which survive a restart."""
        self.layer = layer
        layer.metadata[KEY] = {**layer.metadata.get(KEY, {}), "correction": self}
        layer.undo, layer.redo = partial(tell_problems, self.undo), partial(tell_problems, self.redo)
        layer.editable = self.writable
        layer.events.paint.connect(self._painted)
        layer.events.data.connect(self._replaced)

    def hold(self) -> None:
        """Keep strokes and Undo off the labels while a tool is at work on them; ended by `let_go`."""
        self.busy, self._mode = True, self.layer.mode
        self.layer.editable = False

    def let_go(self) -> None:
        """Let strokes and Undo change the labels again."""
        self.busy, self.layer.editable = False, self.writable
        self.layer.mode = self._mode

    def do(self, change: Change) -> None:
        """Make a step of a tool, in any thread; `show` it in the GUI thread afterwards.

        Raises
        ------
        EditError
            The layer only shows.
        """
        self._writing()
        change.apply(self.labels)
        self._keep(change)

    def show(self, change: Change) -> None:
        """Bring a step on screen."""
        self.layer.refresh()
        self.changed.emit(change)

    def undo(self) -> None:
        """Take the last step back."""
        self._go(self.history.done, Undo, Change.revert)

    def redo(self) -> None:
        """Make the step again that was taken back last."""
        self._go(self.history.undone, Redo, Change.apply)

    def mark(self, box: Box, *, on: bool) -> None:
        """Declare a box verified, or no longer: there the labels are truth, also where nothing was changed."""
        self._record(Verify(box, on))
        self.verified.mark(box, on)
        self.marked.emit()

    def close(self) -> None:
        """Save what is under way, and let go of the layer and the file."""
        if self.layer is not None:
            self.layer.events.paint.disconnect(self._painted)
            self.layer.events.data.disconnect(self._replaced)
        journal, self.journal = self.journal, None
        if journal is not None:
            journal.close()

    def _writing(self) -> Journal:
        if self.journal is None:
            raise EditError(self.saved.info.name, self.project.why_read_only or "is closed", "Open it to write first")
        return self.journal

    def _record(self, record: Record) -> None:
        self._writing().append(record)
        self._records += 1

    def _keep(self, change: Change) -> None:
        step, self._next = self._next, self._next + 1
        self._record(Step(step, change))
        self.history.added(step)
        if self.highest is not None:
            self.highest = max(self.highest, *(int(p.after.max()) for p in change.patches))
        count_planes(self.touched, change)

    def _go(self, steps: list[int], record: type[Undo] | type[Redo], act: Callable[[Change, Any], None]) -> None:
        if self.journal is None or self.busy or is_painting(self.layer) or not steps:
            return
        change = self.journal.read(steps[-1])  # before anything is changed: the file may be gone
        self._record(record(steps[-1]))
        act(change, self.labels)
        count_planes(self.touched, change, -1 if record is Undo else 1)
        if record is Undo:
            self.history.undo()
        else:
            self.history.redo()
        self.show(change)

    def _painted(self, event: Any) -> None:
        change = change_of(str(self.layer.mode), event.value)
        if change is not None and self.journal is not None:
            self._keep(change)
            if len(change.patches) == 1:
                change.apply(self.labels)  # napari tells of a fill or a polygon just before it writes the same
            self.changed.emit(change)

    def _replaced(self, _event: Any = None) -> None:
        """Other labels were put into the layer as a whole: that is a step too, in the array that is ours."""
        given = self.layer.data
        if given is self.labels:
            return
        with self.layer.events.data.blocker(self._replaced):
            self.layer.data = self.labels
        if tuple(given.shape) != tuple(self.labels.shape):
            raise EditError(self.layer.name, "keeps its shape while it is corrected", "Add the labels as a new layer")
        patches = tuple(differences(self.labels, given))
        if patches and self.journal is not None:
            change = Change("replace", patches)
            self.do(change)
            self.show(change)


def tell_problems(act: Callable[[], None]) -> None:
    """Do something that napari calls; an error of ours becomes a notification, without a traceback."""
    from napari.utils.notifications import show_error

    try:
        act()
    except BiosegError as error:
        show_error(str(error))


def differences(before: Any, after: Any) -> list[Patch]:
    """Return what differs between two arrays of one shape, slab by slab along the first axis."""
    step = max(1, BLOCK // max(1, int(np.prod(before.shape[1:]))))
    found = []
    for start in range(0, before.shape[0], step):
        slab = slice(start, start + step)
        patch = Patch.between((start, *(0,) * (before.ndim - 1)), np.asarray(before[slab]), np.asarray(after[slab]))
        found += [patch] if patch is not None else []
    return found


def count_planes(touched: npt.NDArray[np.int64], change: Change, count: int = 1) -> None:
    """Count a step, or take it off, in the slices that its pixels lie in."""
    for place in {tuple((s.start, s.stop) for s in p.box[:-2]) for p in change.patches}:
        touched[tuple(slice(*ends) for ends in place)] += count


def correction_of(layer: Any) -> Correction | None:
    """Return the correction of a layer; None for others, and for copies that napari makes of one."""
    own = layer.metadata.get(KEY) if layer is not None else None
    found = own.get("correction") if isinstance(own, dict) else None
    return found if isinstance(found, Correction) and found.layer == layer else None
