"""What a run knows of its mirrors: ``RUN/sync.json``, an entry an address."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.options import Options
from napari_bioseg.runs.info import now

FILE = "sync.json"


class SyncState(Options):
    """How a run stands with one server."""

    state: Literal["pending", "synced", "failed"] = Field(description="pending: not all is there yet")
    why: str | None = Field(None, description="Why not, in one line")
    when: str = Field(description="When that was known, UTC, ISO 8601")
    digest: str = Field("", description="Of what is there; another one than that of the run: it has gone on since")
    page: str | None = Field(None, description="Address in a browser")


def read_sync(folder: Path) -> dict[str, SyncState]:
    """Return how a run stands with each address it was to be sent to; what is damaged counts as never sent."""
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {uri: SyncState.checked(state, uri) for uri, state in values.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecipeError):
        return {}


def note_sync(
    folder: Path,
    uri: str,
    state: Literal["pending", "synced", "failed"],
    *,
    why: str | None = None,
    digest: str = "",
    page: str | None = None,
) -> None:
    """Write how a run stands with an address.

    Raises
    ------
    UnwritableFileError
        The disk is full, or the folder refuses.
    """
    path = folder / FILE
    known = read_sync(folder) | {uri: SyncState(state=state, why=why, when=now(), digest=digest, page=page)}
    with writing(path), whole_or_nothing(path) as part:
        part.write_text(
            json.dumps({at: found.model_dump(mode="json") for at, found in known.items()}, indent=1), encoding="utf-8"
        )
