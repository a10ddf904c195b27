"""Reading a journal: its records without their pixels, and the pixels of one step when they are wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from napari_bioseg.core.errors import BiosegError, UnreadableFileError
from napari_bioseg.corrections.change import Change
from napari_bioseg.corrections.history import History
from napari_bioseg.corrections.records import (
    Light,
    Step,
    StepLine,
    UnknownRecordError,
    decode,
    decode_light,
)
from napari_bioseg.corrections.sealing import DamagedLineError, Row, parse, unseal

FORMAT, VERSION = "napari-bioseg journal", 1
_LONGEST_HEADER = 2**20  # bytes: a foreign file may be one endless line


@dataclass
class Contents:
    """What a journal says.

    Attributes
    ----------
    header : dict
        What its first line says.
    records : list
        In order; a step without its pixels.
    offsets : dict
        From the number of a step to the byte at which its line begins.
    cut_bytes : int
        How many bytes at the end are not counted in, since they are damaged.
    good_size : int
        Bytes before those.
    damage : UnreadableFileError, optional
        Why reading ended before the end, where that was allowed.
    """

    header: Row
    records: list[Light] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    cut_bytes: int = 0
    good_size: int = 0
    damage: UnreadableFileError | None = None

    @property
    def next_id(self) -> int:
        """A number that no step has yet."""
        return max(self.offsets, default=0) + 1


def read_journal(path: Path, *, up_to_damage: bool = False) -> Contents:
    """Read a journal once, a line at a time.

    Parameters
    ----------
    path : Path
    up_to_damage : bool
        Whether a damaged line before the last one ends the reading instead of raising; `Contents.damage` then
        says which it was.

    Returns
    -------
    Contents
        Without the last line if that is torn or damaged: the program was killed as it wrote it, or the power failed.

    Raises
    ------
    UnreadableFileError
        It is missing, no journal, of a newer version, or damaged elsewhere than in its last line.
    """
    try:
        with opened(path) as stream:
            contents = Contents(_header(path, stream), good_size=stream.tell())
            size = stream.seek(0, 2)
            stream.seek(contents.good_size)
            contents.damage = _read_records(path, stream, contents, size)
    except BiosegError:
        raise
    except OSError as error:
        raise UnreadableFileError(str(path), f"cannot be read ({error.strerror or error})", "Check the path") from error
    if contents.damage is not None and not up_to_damage:
        raise contents.damage
    contents.cut_bytes = size - contents.good_size
    return contents


def opened(path: Path) -> BinaryIO:
    """Open a journal to read bytes; raises `UnreadableFileError` when the system does not let us."""
    try:
        return path.open("rb")
    except OSError as error:
        raise UnreadableFileError(str(path), f"cannot be opened ({error.strerror})", "Check the path") from error


def read_step(path: Path, stream: BinaryIO, offset: int, within: tuple[int, ...] | None = None) -> Change:
    """Read the pixels of one step.

    Parameters
    ----------
    path : Path
        For the message.
    stream : file
        The journal, opened to read bytes.
    offset : int
        Of `Contents.offsets`.
    within : tuple of int, optional
        Shape of the labels.

    Raises
    ------
    UnreadableFileError
        There is no such step there any more, or its boxes leave the labels.
    """
    try:
        stream.seek(offset)
        record = decode(stream.readline(), within)
    except OSError as error:
        raise UnreadableFileError(str(path), f"cannot be read ({error.strerror or error})", "Check the disk") from error
    except (DamagedLineError, UnknownRecordError) as error:
        problem = f"the step at byte {offset} cannot be read ({error})"
        raise UnreadableFileError(str(path), problem, "Take the file from a copy of the project") from error
    if not isinstance(record, Step):
        problem = f"there is no step at byte {offset}"
        raise UnreadableFileError(str(path), problem, "Open the project again: the journal was changed meanwhile")
    return record.change


def _header(path: Path, stream: BinaryIO) -> Row:
    line = stream.readline(_LONGEST_HEADER)
    row = _parsed(line)
    if row.get("format") != FORMAT:
        raise UnreadableFileError(str(path), "is no journal of corrections", "Choose the journal.jsonl of a project")
    version = row.get("version")
    if version != VERSION:
        raise UnreadableFileError(
            str(path), f"was made by a newer napari-bioseg (format {version})", "Update the plugin"
        )
    try:
        row = unseal(line)
    except DamagedLineError as error:
        raise UnreadableFileError(
            str(path), f"its first line is damaged ({error})", "Take the file from a copy of the project"
        ) from error
    return {key: value for key, value in row.items() if key != "crc"}


def _parsed(line: bytes) -> Row:
    try:
        return parse(line)
    except DamagedLineError:
        return {}


def _read_records(path: Path, stream: BinaryIO, contents: Contents, size: int) -> UnreadableFileError | None:
    """Read until the end, or to the damage that is returned; that of the last line is none."""
    history = History()
    for line in stream:
        number = len(contents.records) + 2  # the header is line 1
        try:
            _keep(decode_light(line), contents, history)
        except UnknownRecordError as error:
            raise UnreadableFileError(str(path), f"line {number} {error}", "Update the plugin") from error
        except ValueError as error:
            if contents.good_size + len(line) == size:
                return None
            fix = "Take the file from a copy of the project, or go on with what is before that line"
            return UnreadableFileError(str(path), f"line {number} is damaged ({error})", fix)
        contents.good_size += len(line)
    return None


def _keep(record: Light, contents: Contents, history: History) -> None:
    if isinstance(record, StepLine):
        if record.id in contents.offsets:
            raise ValueError(f"there is a step {record.id} already")
        contents.offsets[record.id] = contents.good_size
    history.follow(record)
    contents.records.append(record)
