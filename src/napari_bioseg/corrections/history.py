"""What can be undone and redone, any number of steps back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from napari_bioseg.corrections.records import BoxEdit, Light, Redo, StepLine, Undo

if TYPE_CHECKING:
    from napari_bioseg.corrections.contents import Contents


@dataclass
class History:
    """Numbers of the steps; what was done last is undone first, and a new step ends what could be redone.

    Attributes
    ----------
    done, undone : list of int
        The last of each is the next to be undone, redone.
    last : int
        The highest number so far. An edit of boxes does not say its own: it is the next one.
    """

    done: list[int] = field(default_factory=list)
    undone: list[int] = field(default_factory=list)
    last: int = 0

    @classmethod
    def of(cls, contents: Contents) -> Self:
        """Return where a journal ends."""
        history = cls()
        for record in contents.records:
            history.follow(record)
        return history

    def follow(self, record: Light) -> None:
        """Go along with one record of a journal.

        Raises
        ------
        ValueError
            It undoes or redoes another step than the one whose turn it is.
        """
        match record:
            case Undo(id):
                if self.done[-1:] != [id]:
                    raise ValueError(f"it undoes step {id}, which is not the last one")
                self.undo()
            case Redo(id):
                if self.undone[-1:] != [id]:
                    raise ValueError(f"it redoes step {id}, which was not undone last")
                self.redo()
            case StepLine(id):
                self.added(id)
            case BoxEdit():
                self.added(self.last + 1)
            case _:  # neither undone nor redone
                pass

    def added(self, step: int) -> None:
        """Note a new step."""
        self.last = max(self.last, step)
        self.done.append(step)
        self.undone.clear()

    def undo(self) -> int | None:
        """Return the step to take back, counted as undone; None when there is none."""
        if not self.done:
            return None
        self.undone.append(self.done.pop())
        return self.undone[-1]

    def redo(self) -> int | None:
        """Return the step to make again, counted as done; None when there is none."""
        if not self.undone:
            return None
        self.done.append(self.undone.pop())
        return self.done[-1]
