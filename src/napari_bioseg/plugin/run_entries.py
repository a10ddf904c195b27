"""What the panel "Runs" shows: the runs of this machine, their figures, and where they are mirrored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import BiosegError, UnwritableFileError
from napari_bioseg.core.files import remove, writing
from napari_bioseg.runs import Run, known_runs
from napari_bioseg.runs.contents import line_figures
from napari_bioseg.runs.info import RunInfo, read_info
from napari_bioseg.runs.lock import is_busy
from napari_bioseg.runs.run import METRICS
from napari_bioseg.runs.server import address
from napari_bioseg.runs.sync_state import FILE as SYNC
from napari_bioseg.runs.sync_state import SyncState, read_sync

_FIRST = ("held_out", "score", "loss", "pixels_per_second", "network_seconds", "seconds")
"""Figures that are offered before the others."""
_States = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class RunEntry:
    """One run.

    Attributes
    ----------
    folder : Path
    info : RunInfo or None
        None of a run of an older version, or where it is damaged.
    state : str
        ``"local"``, ``"pending"``, ``"synced"`` or ``"failed"``, for the address that was asked for.
    why : str
        Why it is not there, in one line.
    page : str or None
        Its address in a browser.
    curves : dict of str to tuple of float
        Each figure, line by line, by the name that it has on a server; not-a-number where a line has none.
    """

    folder: Path
    info: RunInfo | None
    state: str
    why: str
    page: str | None
    curves: Mapping[str, tuple[float, ...]]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.info.name if self.info is not None else self.folder.name

    @property
    def began(self) -> str:
        """When, by the clock on the wall."""
        if self.info is None:
            return ""
        return datetime.fromisoformat(self.info.started).astimezone().strftime("%d %b %H:%M")

    @property
    def status(self) -> str:
        """How it stands: what `run.json` says, unless that run was killed."""
        if self.info is None:
            return "older"
        killed = self.info.status == "running" and not is_busy(self.folder)
        return "interrupted" if killed else self.info.status

    def last(self, figure: str) -> float | None:
        """Return the last value of a figure."""
        known = [value for value in self.curves.get(figure, ()) if math.isfinite(value)]
        return known[-1] if known else None

    def says(self, words: str) -> bool:
        """Whether all words are in its name, kind, status, tags or folder."""
        info = self.info
        text = [self.name, self.status, self.state, str(self.folder)]
        text += [info.kind, *info.tags.values()] if info is not None else []
        whole = " ".join(text).lower()
        return all(word in whole for word in words.lower().split())


class RunReader:
    """Reads the runs of this machine, again and again: one whose records have not changed is not read anew."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[str, _States, RunEntry]] = {}

    def read(self, uri: str | None) -> tuple[RunEntry, ...]:
        """Return all runs, the newest first.

        Parameters
        ----------
        uri : str or None
            The server whose state is asked for; none: the usual one.

        Raises
        ------
        RecipeError
            The address is none.
        """
        at, before = address(uri), self._known
        self._known = {}
        for folder in reversed(known_runs()):
            states, known = _states(folder), before.get(folder)
            if known is None or known[:2] != (at, states):
                known = at, states, _entry(folder, at, states)
            self._known[folder] = known
        return tuple(entry for _, _, entry in self._known.values())


def figures(entries: Iterable[RunEntry]) -> tuple[str, ...]:
    """Return the figures that runs have, the usual ones first."""
    found = dict.fromkeys(name for entry in entries for name in entry.curves)
    return (*(name for name in _FIRST if name in found), *sorted(name for name in found if name not in _FIRST))


def side_by_side(one: RunEntry, other: RunEntry) -> list[tuple[str, str, str, str]]:
    """Return the last values of two runs and their difference, for each figure that both have."""
    rows: list[tuple[str, str, str, str]] = []
    for name in figures((one, other)):
        a, b = one.last(name), other.last(name)
        if a is not None and b is not None:
            rows.append((name.replace("_", " "), f"{a:.4g}", f"{b:.4g}", f"{b - a:+.3g}"))
    return rows


def delete_runs(folders: Sequence[Path]) -> None:
    """Remove runs from the disk, with the models in them; mirrors and the zoo keep theirs.

    Raises
    ------
    UnwritableFileError
        One is at work, or cannot be removed; those before it are gone.
    """
    for folder in folders:
        if is_busy(folder):
            raise UnwritableFileError(str(folder), "is at work", "Stop it first")
        with writing(folder):
            (folder / "recipe.yaml").unlink(missing_ok=True)  # without it, it is no run any more
            remove(folder)


def _states(folder: Path) -> _States:
    """Return when each record of a run was written, in nanoseconds, and how many bytes it has."""
    found: _States = {}
    for path in folder.glob("[!.]*.json*"):  # a temporary file begins with a dot
        with suppress(OSError):  # removed just now
            state = path.stat()
            found[path.name] = state.st_mtime_ns, state.st_size
    return found


def _entry(folder: Path, uri: str, states: _States) -> RunEntry:
    try:
        info = read_info(folder)
    except BiosegError:
        info = None
    sync = read_sync(folder).get(uri)
    state, why = ("local", "") if sync is None else (sync.state, sync.why or "")
    if sync is not None and state == "synced" and _gone_on(states, sync):
        state, why = "pending", "it has gone on since"
    curves = _curves(Run(folder).metrics()) if METRICS in states else {}
    return RunEntry(folder, info, state, why, sync.page if sync else None, curves)


def _gone_on(states: _States, sync: SyncState) -> bool:
    known = datetime.fromisoformat(sync.when).timestamp() + 1  # it is kept in whole seconds
    return any(written > known * 1e9 for name, (written, _) in states.items() if name != SYNC)


def _curves(lines: Iterable[Mapping[str, Any]]) -> dict[str, tuple[float, ...]]:
    kept = [dict(line_figures(line)) for line in lines]
    names = dict.fromkeys(name for line in kept for name in line)
    return {name: tuple(line.get(name, math.nan) for line in kept) for name in names}
