"""A run on disk: what was asked, what happened, what came out; complete lines survive a crash."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from napari_bioseg.core.errors import UnreadableFileError, UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing

METRICS = "metrics.jsonl"
RECIPE = "recipe.yaml"
_LOCK, _PATIENCE = ".training.lock", 2.0  # seconds
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


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Hold a run while it is trained, so that no other program trains in it.

    Raises
    ------
    UnwritableFileError
        Another one does.
    """
    lock = FileLock(folder / _LOCK)
    try:
        # Whoever only looks lets go at once.
        lock.acquire(timeout=_PATIENCE)
    except Timeout as error:
        problem = "is at work in another window or terminal"
        raise UnwritableFileError(str(folder), problem, "Wait for it, or stop it there") from error
    try:
        yield
    finally:
        lock.release()


def is_busy(folder: Path) -> bool:
    """Whether a program trains in a run now."""
    if not (folder / _LOCK).is_file():
        return False
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except OSError:  # a folder that cannot be written
        return False
    lock.release()
    return False


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
