"""A run on disk: what was asked, what happened, what came out; complete lines survive a crash."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import Cancelled, RecipeError, UnreadableFileError
from napari_bioseg.core.files import append_line, whole_or_nothing
from napari_bioseg.core.options import read_yaml
from napari_bioseg.runs.curves import write_curves
from napari_bioseg.runs.environment import ENVIRONMENT, environment
from napari_bioseg.runs.info import Kind, RunInfo, Status, new_id, now, one_line, read_info, write_info
from napari_bioseg.runs.register import RECIPE, remember

METRICS = "metrics.jsonl"


class Run:
    """A folder that records one training or batch.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def start(
        self,
        recipe: str,
        *,
        kind: Kind = "training",
        name: str = "",
        tags: Mapping[str, str] | None = None,
        parent: str | None = None,
    ) -> None:
        """Write the recipe, what it runs on, and that it runs; a run that is gone on with keeps its id.

        Parameters
        ----------
        recipe : str
            YAML.
        kind : {"training", "comparison", "batch"}
        name : str
            Empty: that of the folder.
        tags : mapping, optional
            E.g. image, model and project.
        parent : str, optional
            Id of the run that this is a part of; the list of runs then holds that one alone.

        Raises
        ------
        UnreadableFileError
            The run is there and its ``run.json`` is damaged.
        UnwritableFileError
            The disk is full, or the folder refuses.
        """
        before = self.info or self._found(kind, "running")
        self._write(RECIPE, recipe)
        self._write(ENVIRONMENT, json.dumps(environment(), indent=1))
        known = {"kind": kind, "name": name or before.name, "parent": parent, "tags": {**before.tags, **(tags or {})}}
        write_info(self.folder, before.model_copy(update={**known, "ended": None, "status": "running", "why": None}))
        if parent is None:
            remember(self.folder)

    def end(self, status: Status, why: str | None = None) -> None:
        """Write how the run ended, and why where it failed.

        Raises
        ------
        UnreadableFileError, UnwritableFileError
            As for `start`.
        """
        info = self.info or self._found("training", status)
        write_info(self.folder, info.model_copy(update={"ended": now(), "status": status, "why": why}))

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Write at the end of the block how the run ended, whatever comes, and draw the curves of a training."""
        try:
            try:
                yield
            finally:
                self._draw()
        except (Cancelled, KeyboardInterrupt):
            self._end_anyhow("cancelled", None)
            raise
        except BaseException as error:
            self._end_anyhow("failed", one_line(str(error) or type(error).__name__))
            raise
        self.end("finished")

    @property
    def info(self) -> RunInfo | None:
        """What the run says of itself; None before its start, and for a run of an older version.

        Raises
        ------
        UnreadableFileError
            ``run.json`` is damaged.
        """
        return read_info(self.folder)

    def adopt(self, status: Status) -> RunInfo:
        """Return what the run says of itself; one of an older version gets an id now, and keeps its times.

        Parameters
        ----------
        status : {"running", "finished", "failed", "cancelled"}
            Of an older run, as far as its files tell.

        Raises
        ------
        UnreadableFileError, UnwritableFileError
            As for `start`.
        """
        info = self.info
        if info is None:
            info = self._found("training", status)
            write_info(self.folder, info)
        return info

    def log(self, **values: Any) -> None:
        """Append one line of metrics; it is on disk when this returns."""
        values = {"time": now(), **values}
        append_line(self.folder / METRICS, json.dumps(values))

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yield the metrics written so far; a line cut by a crash is left out."""
        path = self.folder / METRICS
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            with suppress(json.JSONDecodeError):
                yield json.loads(line)

    def keep_metrics(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Drop the other lines: a resumed run writes them again."""
        self._write(METRICS, "".join(json.dumps(line) + "\n" for line in self.metrics() if wanted(line)))

    def _draw(self) -> None:
        # A picture that cannot be drawn must not hide how the run ended: it only shows what the metrics say.
        with suppress(OSError, RecipeError):
            metric = read_yaml(self.folder / RECIPE).get("select_on", "score")
            write_curves(self.folder, self.metrics(), str(metric))

    def _end_anyhow(self, status: Status, why: str | None) -> None:
        # What ended the run is told to the user, not that it could not be noted as well.
        with suppress(OSError):
            self.end(status, why)

    def _found(self, kind: Kind, status: Status) -> RunInfo:
        """Return what the files of a run without ``run.json`` tell of it."""
        times = [str(line["time"]) for line in self.metrics() if "time" in line]
        ended = (times[-1] if times else now()) if status != "running" else None
        started = times[0] if times else now()
        return RunInfo(id=new_id(), kind=kind, name=self.folder.name, started=started, ended=ended, status=status)

    def _write(self, name: str, text: str) -> None:
        with whole_or_nothing(self.folder / name) as part:
            part.write_text(text, encoding="utf-8")


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
