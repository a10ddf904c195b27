"""What happened to a family of models: one line of JSON each time."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_bioseg.core.files import writing


@dataclass(frozen=True)
class Event:
    """A version that came, or another champion.

    Attributes
    ----------
    time : str
        UTC, ISO 8601.
    what : str
        ``copied``, ``promoted``, ``imported`` or ``rolled back``.
    version : int
        Which came, or was chosen.
    champion : int
        Which is the champion from then on.
    source : str
        Folder, file or address that it came from; empty where nothing came.
    """

    time: str
    what: str
    version: int
    champion: int
    source: str = ""


def read_history(path: Path) -> tuple[Event, ...]:
    """Return what happened, the oldest first; damaged lines are left out."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return tuple(event for line in lines if (event := _event(line)) is not None)


def add_event(path: Path, what: str, version: int, champion: int, source: Path | str | None = None) -> None:
    """Append what has just happened.

    Raises
    ------
    UnwritableFileError
        The file cannot be written.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    came = str(source.absolute() if isinstance(source, Path) else source or "")
    event = Event(now, what, version, champion, came)
    with writing(path), path.open("a+b") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 1))
        # A line that a crash has cut must not take this one with it.
        start = b"" if stream.read(1) in (b"", b"\n") else b"\n"
        stream.write(start + json.dumps(asdict(event)).encode() + b"\n")


def _event(line: str) -> Event | None:
    try:
        row: dict[str, Any] = json.loads(line)
        return Event(**{**row, "version": int(row["version"]), "champion": int(row["champion"])})
    except (ValueError, TypeError, KeyError):
        return None
