"""What was found of every image that was checked, for each model: a list in the user's data folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from napari_bioseg.core.files import append_line
from napari_bioseg.drift import DISTANCES, OUTPUT, recent_change
from napari_bioseg.runs.register import data_folder
from napari_bioseg.workflows.drift_check import Drift

log = logging.getLogger("napari_bioseg")


@dataclass(frozen=True)
class LoggedDrift:
    """One image that was checked.

    Attributes
    ----------
    time : str
        ISO 8601, UTC.
    image : str
    warned : bool
    score : float
        As in `Drift`.
    distances : dict
    causes : tuple of str
        Their names.
    """

    time: str
    image: str
    warned: bool
    score: float
    distances: dict[str, float]
    causes: tuple[str, ...]


@dataclass(frozen=True)
class Shift:
    """Since when the images of a model are not what they were.

    Attributes
    ----------
    since : str
        Time of the first of them.
    words : str
        One line for the user.
    """

    since: str
    words: str


def log_drift(drift: Drift) -> None:
    """Add an image to the list of its model; where that cannot be written, a warning is logged."""
    entry = LoggedDrift(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        image=drift.image,
        warned=drift.warned,
        score=round(drift.score, 4),
        distances={name: round(value, 5) for name, value in drift.distances.items()},
        causes=tuple(cause.name for cause in drift.causes),
    )
    log_entry(drift.model, entry)


def log_entry(model: str, entry: LoggedDrift) -> None:
    """Add what was found of an image to the list of a model, as `log_drift` does it."""
    path = _path(model)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        append_line(path, json.dumps(asdict(entry)))
    except OSError as error:
        log.warning("%s cannot be written (%s): the check of %s is not kept", path, error.strerror, entry.image)


def read_drift_log(model: str) -> tuple[LoggedDrift, ...]:
    """Return what was checked for a model, the oldest first; lines that are damaged are left out."""
    path = _path(model)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return tuple(entry for line in lines if (entry := _entry(line)) is not None)


def find_shift(entries: Sequence[LoggedDrift]) -> Shift | None:
    """Return since when the images of a model have changed, see `drift.recent_change`; None where they have not."""
    found = recent_change([entry.distances for entry in entries])
    if found is None:
        return None
    since = entries[found.first].time
    meaning = DISTANCES[found.distance].split(",")[0]
    now = f"{found.before:.3g} before, {found.now:.3g} now"
    return Shift(since, f"the images have changed since {since[:10]}: {meaning} ({now})")


def _path(model: str) -> Path:
    return data_folder() / "drift" / f"{model.replace('@', '-')}.jsonl"


def _entry(line: str) -> LoggedDrift | None:
    try:
        values = json.loads(line)
        entry = LoggedDrift(**{**values, "causes": tuple(values["causes"])})
        return entry if set(DISTANCES) - set(OUTPUT) <= set(entry.distances) <= set(DISTANCES) else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
