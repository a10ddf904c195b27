"""Which runs there are on this machine: a list in the user's data folder, one line of JSON a run."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from napari_bioseg.core.files import append_line

FILE = "runs.jsonl"
RECIPE = "recipe.yaml"
log = logging.getLogger("napari_bioseg")


def data_folder() -> Path:
    """Folder of the list of runs and of the local MLflow store; ``BIOSEG_RUNS`` overrides it."""
    from platformdirs import user_data_path

    return Path(os.environ.get("BIOSEG_RUNS") or user_data_path("napari-bioseg"))


def known_runs() -> tuple[Path, ...]:
    """Return the folders of the runs that were started on this machine and still exist, the oldest first."""
    return tuple(folder for folder in _listed() if (folder / RECIPE).is_file())


def remember(folder: Path) -> None:
    """Add the folder of a run to the list, unless it is there; where that cannot be written, a warning is logged."""
    folder, path = folder.resolve(), data_folder() / FILE
    if folder in _listed():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        append_line(path, json.dumps({"folder": str(folder)}))
    except OSError as error:
        # A run is whole without it: `bioseg sync RUN` finds it by its folder.
        log.warning("%s cannot be written (%s): %s is not in the list of runs", path, error.strerror, folder)


def _listed() -> tuple[Path, ...]:
    path = data_folder() / FILE
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return tuple(dict.fromkeys(folder for line in lines if (folder := _folder(line)) is not None))


def _folder(line: str) -> Path | None:
    try:
        return Path(json.loads(line)["folder"])
    except (ValueError, TypeError, KeyError):
        return None
