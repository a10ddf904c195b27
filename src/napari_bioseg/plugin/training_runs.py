"""The runs of a project, as a list of them shows them: how far each came and what the comparison says. No Qt."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.core.job import format_duration
from napari_bioseg.models.card import CARD_FILE
from napari_bioseg.runs import find_run
from napari_bioseg.runs.lock import is_busy
from napari_bioseg.runs.register import RECIPE
from napari_bioseg.training.recipe import Recipe, read_recipe
from napari_bioseg.workflows.comparison_result import FILE
from napari_bioseg.workflows.finetuning import list_runs
from napari_bioseg.workflows.training_preview import Preview, read_preview

_RECENT = 5  # epochs that the pace is told by


@dataclass(frozen=True)
class RunState:
    """How far a run came.

    Attributes
    ----------
    folder : Path
    recipe : Recipe
    lines : tuple of dict
        Of each epoch.
    preview : Preview or None
    verdict : str
        Of the comparison; empty before.
    busy : bool
        Whether a window trains in it now.
    """

    folder: Path
    recipe: Recipe
    lines: tuple[dict[str, Any], ...]
    preview: Preview | None
    verdict: str
    busy: bool

    @property
    def epoch(self) -> int:
        """The last epoch that is on disk."""
        return int(self.lines[-1]["epoch"]) if self.lines else 0

    @property
    def model(self) -> Path | None:
        """The folder of the model; None before the run came to its end."""
        folder = self.folder / self.recipe.name
        return folder if (folder / CARD_FILE).is_file() else None

    @property
    def scored(self) -> bool:
        """Whether something is held out."""
        return any(line.get("held_out") is not None for line in self.lines)

    @property
    def pace(self) -> str:
        """Epoch and time of one; below, device and memory of the training process."""
        told = f"Epoch {self.epoch} of {self.recipe.epochs}"
        seconds = [float(line["seconds"]) for line in self.lines[-_RECENT:] if line.get("seconds") is not None]
        if seconds:
            told += f", {format_duration(median(seconds))} an epoch"
        last = self.lines[-1] if self.lines else {}
        used = [str(last["device"])] if last.get("device") else []
        if last.get("memory"):
            used.append(f"{last['memory'] / 2**20:,.0f} MiB of memory")
        return "\n".join([told, ", ".join(used)] if used else [told])

    @property
    def told(self) -> str:
        """Name and epoch."""
        return f"{self.folder.name} (epoch {self.epoch} of {self.recipe.epochs})"

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
    lines = tuple(line for line in find_run(run).metrics() if "epoch" in line)
    return RunState(run, recipe, lines, read_preview(run, recipe.output.threshold), _verdict(run), is_busy(run))


def read_runs(projects: Iterable[Path]) -> tuple[RunState, ...]:
    """Return the runs of projects, of each the newest first; what cannot be read is left out."""
    found = []
    for run in (run for project in projects for run in list_runs(project)):
        with suppress(BiosegError):
            found.append(read_state(run))
    return tuple(found)


def _verdict(run: Path) -> str:
    """Return what the comparison of a run says; empty where it was not compared."""
    try:
        return str(json.loads((run / FILE).read_text(encoding="utf-8"))["verdict"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
