"""What a journal records, and the row of JSON of each: numbers, words and compressed pixels, never anything to run."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import TypeVar

from napari_bioseg.corrections.change import Box, Change
from napari_bioseg.corrections.packing import pack_patch, unpack_patch, whole
from napari_bioseg.corrections.sealing import DamagedLineError, Row, seal, unseal

T = TypeVar("T")
BoxRow = tuple[int, int, float, float, float, float]
"""A box drawn by hand: frame, Z, centre y and x, height and width, in pixels."""


class UnknownRecordError(ValueError):
    """A line is whole but records something that this version does not know."""


def now() -> str:
    """Return the time in UTC, to the millisecond, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, eq=False)
class Step:
    """A change was made; `id` is its number, given once in a journal."""

    id: int
    change: Change
    time: str = field(default_factory=now)


@dataclass(frozen=True)
class StepLine:
    """A step whose pixels are still in the file."""

    id: int
    tool: str
    time: str


@dataclass(frozen=True)
class Undo:
    """The last step or edit of boxes that was done, `id`, is taken back; edits are numbered from 1 in their order."""

    id: int
    time: str = field(default_factory=now)


@dataclass(frozen=True)
class Redo:
    """The step or edit of boxes that was last taken back, `id`, is made again."""

    id: int
    time: str = field(default_factory=now)


@dataclass(frozen=True)
class Verify:
    """The labels in a box are declared truth, or no longer; one slice an axis, both ends given and none negative."""

    box: Box
    on: bool
    time: str = field(default_factory=now)

    def __post_init__(self) -> None:
        if any(s.start is None or s.stop is None or min(s.start, s.stop) < 0 for s in self.box):
            raise ValueError(f"no box of pixels: {self.box}")


@dataclass(frozen=True)
class BoxEdit:
    """Boxes were drawn, moved, resized, pasted or deleted by hand; one that was moved is removed and added.

    Attributes
    ----------
    removed : tuple of int
        Their numbers: found boxes count from 0, and those by hand go on from there as they were added.
    added : tuple of BoxRow
    """

    removed: tuple[int, ...]
    added: tuple[BoxRow, ...]
    time: str = field(default_factory=now)

    def __post_init__(self) -> None:
        if not all(isfinite(value) for row in self.added for value in row):
            raise ValueError("a box that lies nowhere")


@dataclass(frozen=True)
class Thresholds:
    """Sliders were moved.

    Attributes
    ----------
    values : dict
        Of the sliders, by their names.
    shown : str
        Which of the found boxes they show, as of `pack_mask`: it must not depend on how overlaps are reckoned.
    """

    values: dict[str, float | None]
    shown: str
    time: str = field(default_factory=now)


Other = Undo | Redo | Verify | BoxEdit | Thresholds
Record = Step | Other
Light = StepLine | Other


def encode(record: Record) -> bytes:
    """Return the line of a record, with its end of line."""
    match record:
        case Step(id, change, time):
            patches = [pack_patch(p) for p in change.patches]
            return seal({"op": "change", "id": id, "time": time, "tool": change.tool, "patches": patches})
        case Undo(id, time):
            return seal({"op": "undo", "id": id, "time": time})
        case Redo(id, time):
            return seal({"op": "redo", "id": id, "time": time})
        case Verify(box, on, time):
            return seal({"op": "verify", "time": time, "box": [[int(s.start), int(s.stop)] for s in box], "on": on})
        case BoxEdit(removed, added, time):
            return seal({"op": "boxes", "time": time, "removed": list(removed), "added": [list(row) for row in added]})
        case Thresholds(values, shown, time):
            return seal({"op": "thresholds", "time": time, "values": values, "shown": shown})


def decode(line: bytes, within: tuple[int, ...] | None = None) -> Record:
    """Return the record of a line, pixels and all.

    Parameters
    ----------
    line : bytes
    within : tuple of int, optional
        Shape of the labels, which no box of a step may leave.

    Raises
    ------
    DamagedLineError, UnknownRecordError
    """
    return _read(line, lambda row: _step(row, within))


def decode_light(line: bytes) -> Light:
    """Return the record of a line, a step without its pixels, which are not looked at.

    Raises
    ------
    DamagedLineError, UnknownRecordError
    """
    return _read(line, _step_line)


def _read(line: bytes, step: Callable[[Row], T]) -> T | Other:
    row = unseal(line)
    kinds: dict[str, Callable[[Row], T | Other]] = {
        "change": step,
        "undo": _undo,
        "redo": _redo,
        "verify": _verify,
        "boxes": _box_edit,
        "thresholds": _thresholds,
    }
    op = row.get("op")
    if not isinstance(op, str):
        raise DamagedLineError("it does not say what it records")
    if op not in kinds:
        raise UnknownRecordError(f"records {op[:40]!r}, which this version does not know")
    try:
        return kinds[op](row)
    except KeyError as error:
        raise DamagedLineError(f"it has no {error}") from error
    except (TypeError, ValueError, OverflowError, zlib.error) as error:
        raise DamagedLineError(str(error)) from error


def _step(row: Row, within: tuple[int, ...] | None) -> Step:
    patches = tuple(unpack_patch(p, within) for p in row["patches"])
    return Step(whole(row["id"]), Change(_text(row, "tool"), patches), _text(row, "time"))


def _step_line(row: Row) -> StepLine:
    return StepLine(whole(row["id"]), _text(row, "tool"), _text(row, "time"))


def _undo(row: Row) -> Undo:
    return Undo(whole(row["id"]), _text(row, "time"))


def _redo(row: Row) -> Redo:
    return Redo(whole(row["id"]), _text(row, "time"))


def _verify(row: Row) -> Verify:
    if not isinstance(row["on"], bool):
        raise ValueError("on is neither true nor false")
    box = tuple(slice(whole(start), whole(stop)) for start, stop in row["box"])
    return Verify(box, row["on"], _text(row, "time"))


def _box_edit(row: Row) -> BoxEdit:
    added = tuple(_box_row(*values) for values in row["added"])
    return BoxEdit(tuple(whole(number) for number in row["removed"]), added, _text(row, "time"))


def _box_row(frame: object, z: object, *lengths: object) -> BoxRow:
    if type(frame) is not int or type(z) is not int:
        raise ValueError("a frame is no whole number")
    y, x, height, width = (_number(value) for value in lengths)
    return frame, z, y, x, height, width


def _thresholds(row: Row) -> Thresholds:
    values = {str(name): None if value is None else _number(value) for name, value in dict(row["values"]).items()}
    return Thresholds(values, _text(row, "shown"), _text(row, "time"))


def _number(value: object) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"{value!r:.40} is no number")
    return float(value)  # type: ignore[arg-type]


def _text(row: Row, key: str) -> str:
    text = row[key]
    if not isinstance(text, str):
        raise ValueError(f"{key} is no text")
    return text
