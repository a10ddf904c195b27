"""A run on disk: what was asked, what happened, what came out; complete lines survive a crash."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.core.files import whole_or_nothing

METRICS = "metrics.jsonl"
RECIPE = "recipe.yaml"
_LIBRARIES = ("napari-bioseg", "torch", "numpy", "scipy", "scikit-image", "zarr", "tifffile", "openvino")


class Run:
    """A folder that records one training or prediction.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, recipe: str) -> None:
        """Write the recipe and what it runs on."""
        self._write(RECIPE, recipe)
        self._write("environment.json", json.dumps(environment(), indent=1))

    def log(self, **values: Any) -> None:
        """Append one line of metrics; it is on disk when this returns."""
        values = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **values}
        with (self.folder / METRICS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(values) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yield the metrics written so far; a last line cut by a crash is left out."""
        path = self.folder / METRICS
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return

    def keep_metrics(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Drop the other lines: a resumed run writes them again."""
        self._write(METRICS, "".join(json.dumps(line) + "\n" for line in self.metrics() if wanted(line)))

    def _write(self, name: str, text: str) -> None:
        with whole_or_nothing(self.folder / name) as part:
            part.write_text(text, encoding="utf-8")


def environment() -> dict[str, Any]:
    """Return library versions and the machine."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def find_run(folder: Path) -> Run:
    """Return an existing run.

    Raises
    ------
    UnreadableFileError
        The folder holds no run.
    """
    if not (folder / RECIPE).is_file():
        raise UnreadableFileError(
            str(folder), "is no run (it has no recipe.yaml)", "Give the folder that the training printed"
        )
    return Run(folder)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
