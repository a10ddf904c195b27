"""What a run is called and how it stands: ``RUN/run.json``."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from napari_bioseg.core.errors import RecipeError, UnreadableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.options import Options

INFO = "run.json"
Kind = Literal["training", "comparison", "batch"]
Status = Literal["running", "finished", "failed", "cancelled"]


class RunInfo(Options):
    """What ``run.json`` says."""

    id: str = Field(description="The same on every machine, and in MLflow")
    kind: Kind = "training"
    name: str
    started: str = Field(description="UTC, ISO 8601; of the first start, where the run was gone on with")
    ended: str | None = Field(None, description="UTC, ISO 8601; none while it runs")
    status: Status = "running"
    why: str | None = Field(None, description="Why it failed, in one line")
    parent: str | None = Field(None, description="Id of the run that this is a part of")
    tags: dict[str, str] = Field(default_factory=dict, description="E.g. image, model and project")


def now() -> str:
    """Return the time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_id() -> str:
    """Return an id that no other run has."""
    return uuid.uuid4().hex


def read_info(folder: Path) -> RunInfo | None:
    """Read what a run says of itself; None where it does not, as runs of older versions.

    Raises
    ------
    UnreadableFileError
        The file is damaged.
    """
    path = folder / INFO
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        return None if values is None else RunInfo.checked(values, str(path))
    except (OSError, ValueError) as error:
        problem = error.problem if isinstance(error, RecipeError) else "is damaged"
        raise UnreadableFileError(str(path), problem, "Remove it: the run gets another") from error


def write_info(folder: Path, info: RunInfo) -> None:
    """Write it, whole or not at all.

    Raises
    ------
    UnwritableFileError
        The disk is full, or the folder refuses.
    """
    path = folder / INFO
    with writing(path), whole_or_nothing(path) as part:
        part.write_text(info.model_dump_json(indent=1), encoding="utf-8")


def milliseconds(time: str) -> int:
    """Return a time in ISO 8601 as milliseconds since 1970, UTC where it does not say."""
    told = datetime.fromisoformat(time)
    return round((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1000)


def one_line(words: str, most: int = 300) -> str:
    """Return words in one line, cut after `most` letters."""
    line = re.sub(r"\s+", " ", words).strip()
    return line if len(line) <= most else f"{line[: most - 1]}…"
