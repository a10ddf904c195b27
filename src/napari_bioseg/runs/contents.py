"""What of a run goes to a tracking server, read from its folder: the same bytes give the same digest anywhere."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.files import file_sha256
from napari_bioseg.core.options import read_yaml
from napari_bioseg.runs.environment import read_environment
from napari_bioseg.runs.info import RunInfo, milliseconds, one_line
from napari_bioseg.runs.register import RECIPE
from napari_bioseg.runs.run import Run

_LONGEST, _EMPTY = 500, "-"  # letters of a parameter that servers since MLflow 1 take; they take no empty one
_NOT_IN_A_NAME = re.compile(r"[^\w\-./ ]")
_NO_FIGURES = ("time", "epoch", "step")


@dataclass(frozen=True)
class Point:
    """One value of a curve.

    Attributes
    ----------
    key : str
        E.g. ``"loss"`` or ``"system/cpu_utilization_percentage"``.
    value : float
    time : int
        Milliseconds since 1970.
    step : int
        The epoch; of lines without one, the how manieth of them.
    """

    key: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class Contents:
    """What goes to a server.

    Attributes
    ----------
    info : RunInfo
    params : dict of str to str
        The recipe, one entry a value.
    lines : tuple of dict
        Of ``metrics.jsonl``.
    tags : dict of str to str
    files : dict of str to Path
        By the name that they get.
    pictures : dict of str to ndarray
        ``(Y, X, 3)`` uint8, by the name that they get, which ends on ``.png``.
    """

    info: RunInfo
    params: dict[str, str]
    lines: tuple[dict[str, Any], ...]
    tags: dict[str, str]
    files: dict[str, Path]
    pictures: Mapping[str, npt.NDArray[np.uint8]] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """The sha256 of all of it."""
        parts = {
            "info": self.info.model_dump(mode="json"),
            "params": self.params,
            "lines": self.lines,
            "tags": self.tags,
            "files": {name: file_sha256(path) for name, path in self.files.items()},
            "pictures": {name: hashlib.sha256(p.tobytes()).hexdigest() for name, p in self.pictures.items()},
        }
        return _sha256(parts)

    @property
    def until(self) -> str:
        """The last time that the run tells of, UTC, ISO 8601."""
        return max(self.info.started, self.info.ended or "", *(str(line.get("time", "")) for line in self.lines[-1:]))

    def stamp(self, count: int | None = None) -> str:
        """Return how many lines there are and a digest of what cannot be changed once it is sent.

        Parameters
        ----------
        count : int, optional
            As if there were only so many lines; none: all.
        """
        lines = self.lines[:count]
        return f"{len(lines)}:{_sha256([self.params, lines])}"

    def points(self, after: int = 0) -> Iterator[Point]:
        """Yield the values of all lines, or of those after so many."""
        without_epoch = 0
        for number, line in enumerate(self.lines):
            step = line.get("epoch", line.get("step"))
            if step is None:
                step, without_epoch = without_epoch, without_epoch + 1
            if number >= after:
                time = milliseconds(str(line.get("time", self.info.started)))
                yield from (Point(key, value, time, int(step)) for key, value in line_figures(line))


def line_figures(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Return the numbers of a line of ``metrics.jsonl`` with the names of their curves; what is not finite is NaN."""
    prefix = "test/" if "test" in line else ""
    return ((f"{prefix}{path}", value) for path, value in _numbers(line))


def read_contents(
    folder: Path,
    info: RunInfo,
    *,
    files: Mapping[str, Path],
    tags: Mapping[str, str],
    pictures: Mapping[str, npt.NDArray[np.uint8]],
) -> Contents:
    """Read a run.

    Parameters
    ----------
    folder : Path
    info : RunInfo
    files : mapping of str to Path
        By the name that they get; those that are not there are left out.
    tags : mapping of str to str
    pictures : mapping of str to ndarray
        As in `Contents`.

    Raises
    ------
    RecipeError
        The recipe is damaged.
    """
    lines = tuple(Run(folder).metrics())
    devices = [str(line["device"]) for line in lines if "device" in line]
    version = {"version": str(read_environment(folder).get("libraries", {}).get("napari-bioseg", ""))}
    facts = {"device": ", ".join(dict.fromkeys(devices)), "kind": info.kind, "status": info.status}
    own = {**info.tags, **version, **tags, **facts, "why": info.why or ""}
    return Contents(
        info=info,
        params=dict(_flat(read_yaml(folder / RECIPE))),
        lines=lines,
        tags={f"bioseg.{name}": one_line(value, 5000) for name, value in own.items()},
        files={name: path for name, path in files.items() if path.is_file()},
        pictures=pictures,
    )


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield the values of nested options by their path; lists are one value each."""
    for name, value in values.items():
        path = _NOT_IN_A_NAME.sub("_", f"{before}{name}")[:250]
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            yield path, one_line(text, _LONGEST) or _EMPTY


def _numbers(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers of a line by their path."""
    for name, value in values.items():
        path = _NOT_IN_A_NAME.sub("_", f"{before}{name}")[:250]
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{path}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and (before or name not in _NO_FIGURES):
            yield path, value if math.isfinite(value) else math.nan


def _sha256(values: Mapping[str, Any] | Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
