"""The runs of a project, as a list of them shows them: how far each came and what the comparison says. No Qt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.job import format_duration
from napari_bioseg.models.card import CARD_FILE
from napari_bioseg.runs import Run, find_run
from napari_bioseg.runs.lock import is_busy
from napari_bioseg.runs.register import RECIPE
from napari_bioseg.training.network_runs import network_runs
from napari_bioseg.training.recipe import Recipe, read_recipe
from napari_bioseg.workflows.comparison_result import FILE
from napari_bioseg.workflows.finetuning import list_runs
from napari_bioseg.workflows.training_preview import Preview, read_preview

_RECENT = 5  # epochs that the pace is told by


@dataclass(frozen=True)
class NetworkState:
    """How far a network of a run came.

    Attributes
    ----------
    epochs : int
        That are asked for.
    lines : tuple of dict
        Of each epoch.
    """

    epochs: int
    lines: tuple[dict[str, Any], ...]

    @property
    def epoch(self) -> int:
        """The last epoch that is on disk."""
        return int(self.lines[-1]["epoch"]) if self.lines else 0

    @property
    def seconds(self) -> float | None:
        """What an epoch takes; None before the first."""
        seconds = [float(line["seconds"]) for line in self.lines[-_RECENT:] if line.get("seconds") is not None]
        return median(seconds) if seconds else None


@dataclass(frozen=True)
class RunState:
    """How far a run came.

    Attributes
    ----------
    folder : Path
    recipe : Recipe
    networks : tuple of NetworkState
        In the order in which they are trained; most runs have but one, those of ensembles and folds several.
    preview : Preview or None
        Of the network at work.
    verdict : str
        Of the comparison; empty before.
    busy : bool
        Whether a window trains in it now.
    """

    folder: Path
    recipe: Recipe
    networks: tuple[NetworkState, ...]
    preview: Preview | None
    verdict: str
    busy: bool

    @property
    def number(self) -> int:
        """Of the network at work, from 0: the last one of which an epoch is on disk."""
        return _at_work([network.lines for network in self.networks])

    @property
    def now(self) -> NetworkState:
        """The network at work."""
        return self.networks[self.number]

    @property
    def model(self) -> Path | None:
        """The folder of the model; None before the run came to its end."""
        folder = self.folder / self.recipe.name
        return folder if (folder / CARD_FILE).is_file() else None

    @property
    def scored(self) -> bool:
        """Whether something is held out."""
        lines = (line for network in self.networks for line in network.lines)
        return any(line.get("held_out") is not None for line in lines)

    @property
    def left(self) -> float | None:
        """Seconds that all networks still take, by the pace of the one at work; None before its first epoch."""
        seconds = self.now.seconds
        coming = sum(network.epochs for network in self.networks[self.number + 1 :])
        return None if seconds is None else seconds * (self.now.epochs - self.now.epoch + coming)

    @property
    def pace(self) -> str:
        """Epoch and time of one; of several networks which one, and the time left for all; below, device and memory."""
        told, seconds, left = f"Epoch {self._epoch}", self.now.seconds, self.left
        if self._which:
            told = f"Network {self._which}, epoch {self._epoch}"
        if seconds is not None:
            told += f", {format_duration(seconds)} an epoch"
        if left is not None and self._which and self.model is None:
            told += f", about {format_duration(left)} left for all"
        last = self.now.lines[-1] if self.now.lines else {}
        used = [str(last["device"])] if last.get("device") else []
        if last.get("memory"):
            used.append(f"{last['memory'] / 2**20:,.0f} MiB of memory")
        return "\n".join([told, ", ".join(used)] if used else [told])

    @property
    def told(self) -> str:
        """Name, and which epoch, or of several networks which one."""
        return f"{self.folder.name} ({f'network {self._which}' if self._which else f'epoch {self._epoch}'})"

    @property
    def _epoch(self) -> str:
        return f"{self.now.epoch} of {self.now.epochs}"

    @property
    def _which(self) -> str:
        count = len(self.networks)
        return f"{self.number + 1} of {count}" if count > 1 else ""

    def __str__(self) -> str:
        if self.model is None:
            return f"{self.told}: {'at work' if self.busy else 'not finished'}"
        if self.verdict:
            return f"{self.folder.name}: {self.verdict}"
        return f"{self.folder.name}: {'not compared yet' if self.scored else 'nothing held out, not compared'}"


def read_state(run: Path) -> RunState:
    """Read a run, whether it is at work or not.

    Raises
    ------
    UnreadableFileError, RecipeError
        It is no run, or is damaged.
    """
    recipe = read_recipe(find_run(run).folder / RECIPE)
    places = network_runs(recipe, run)
    networks = tuple(NetworkState(part.epochs, _epochs(place)) for place, part in places)
    shown = places[_at_work([network.lines for network in networks])][0]
    return RunState(run, recipe, networks, read_preview(shown, recipe.output.threshold), _verdict(run), is_busy(run))


def read_runs(projects: Iterable[Path]) -> tuple[RunState, ...]:
    """Return the runs of projects, of each the newest first; what cannot be read is left out."""
    found = []
    for run in (run for project in projects for run in list_runs(project)):
        with suppress(BiosegError):
            found.append(read_state(run))
    return tuple(found)


def _epochs(folder: Path) -> tuple[dict[str, Any], ...]:
    # A `Run` would make the folder of a network that is not begun.
    return tuple(line for line in Run(folder).metrics() if "epoch" in line) if folder.is_dir() else ()


def _at_work(lines: Sequence[Sequence[Any]]) -> int:
    return max((number for number, found in enumerate(lines) if found), default=0)


def _verdict(run: Path) -> str:
    """Return what the comparison of a run says; empty where it was not compared."""
    try:
        return str(json.loads((run / FILE).read_text(encoding="utf-8"))["verdict"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
