"""The corrected labels of a project, read without holding it: a window may go on correcting meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.corrections.contents import Contents, read_journal
from napari_bioseg.corrections.project import BOXES, LABELS, Project, Saved
from napari_bioseg.corrections.replay import replay
from napari_bioseg.corrections.verified import Verified


@dataclass(frozen=True, eq=False)
class Corrected:
    """Labels as a person left them.

    Attributes
    ----------
    saved : Saved
        The prediction that was corrected.
    labels : ndarray
        Uint32, along the axes of the prediction.
    verified : Verified
        Where they were declared truth.
    records : int
        How many the journal held as it was read.
    """

    saved: Saved
    labels: npt.NDArray[np.uint32]
    verified: Verified
    records: int

    def changed(self, plane: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Return which pixels ``(Y, X)`` of a plane differ from the prediction; what was changed back does not."""
        return np.asarray(self.saved.labels()[plane] != self.labels[plane])


def find_corrected(project: Project, prediction: str | None = None, what: str = LABELS) -> Saved:
    """Return a prediction of labels, or of `BOXES`, by its id; None: the newest that was corrected.

    Raises
    ------
    UnreadableFileError
        There is none.
    """
    words, found = "boxes" if what == BOXES else "labels", project.predictions(what)
    if prediction is None:
        corrected = [s for s in found if s.journal.is_file()]
        if not corrected:
            problem = f"holds no corrected {words}"
            raise UnreadableFileError(str(project.folder), problem, "Correct some, and verify them")
        return corrected[0]
    for saved in found:
        if saved.id == prediction:
            return saved
    problem = f"has no prediction {prediction!r} of {words}"
    known = ", ".join(s.id for s in found) or "there is none"
    raise UnreadableFileError(str(project.folder), problem, f"Choose one of: {known}")


def read_corrected(saved: Saved) -> Corrected:
    """Make the corrected labels of a prediction in memory.

    Raises
    ------
    UnreadableFileError
        The labels or the journal are damaged.
    """
    labels = np.asarray(saved.labels()[...])
    if not saved.journal.is_file():
        return Corrected(saved, labels, Verified(labels.shape), 0)
    contents: Contents = read_journal(saved.journal)
    replay(saved.journal, labels, contents)
    return Corrected(saved, labels, Verified.of(contents, labels.shape), len(contents.records))
