"""A project: one plain folder that holds what a person does with one image.

    NAME.bioseg/
      project.yaml                       version, and where the image is
      image.ome.zarr                     the image itself, when it was in no file
      held_out.yaml                      planes that are never trained on, once there was a training
      predictions/001-MODEL/
        prediction.yaml                  axes, scale, classes, and how it was made
        labels.zarr                      as predicted, never changed
        probabilities.zarr               what the network said, where there is that
        journal.jsonl                    every correction and what is verified; see `journal`
        features.npz                     what `workflows.suggest` compares
      predictions/002-MODEL/
        prediction.yaml                  the same for boxes, and their thresholds
        boxes.csv                        all that the network told, also below the thresholds
        journal.jsonl                    as for labels
      runs/                              trainings on this project, and their models
      opened-by.yaml, .lock              who writes to it

The folder can be moved together with the image. One window writes at a time; others read.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml
import zarr
from filelock import FileLock, Timeout
from zarr.codecs import ZstdCodec

from napari_bioseg import __version__
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import RecipeError, UnreadableFileError, UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.job import Job
from napari_bioseg.core.options import read_yaml
from napari_bioseg.corrections.box_table import Mask, read_candidates, write_candidates
from napari_bioseg.corrections.project_info import (
    ImageReference,
    PredictionInfo,
    ProjectInfo,
    read_info,
    reading,
)

ENDING = ".bioseg"
LABELS, BOXES = "labels.zarr", "boxes.csv"
SIDE = 512  # of chunks: planes, since that is what is looked at and painted on


@dataclass(frozen=True)
class Saved:
    """One prediction in a project.

    Attributes
    ----------
    folder : Path
    info : PredictionInfo
    """

    folder: Path
    info: PredictionInfo

    @property
    def id(self) -> str:
        """Name of its folder."""
        return self.folder.name

    @property
    def journal(self) -> Path:
        """The journal of its corrections; there is none before the first Start."""
        return self.folder / "journal.jsonl"

    def has(self, what: str) -> bool:
        """Whether it is one of labels (`LABELS`) or of boxes (`BOXES`)."""
        return (what == BOXES) == (self.info.boxes is not None)

    def labels(self) -> zarr.Array[Any]:
        """Open the labels as predicted."""
        with reading(self.folder / LABELS):
            return zarr.open_array(self.folder / LABELS, mode="r")

    def boxes(self) -> tuple[Boxes, Mask]:
        """Read all that was found, and which of it was shown as the correction began."""
        return read_candidates(self.folder / BOXES)

    def probabilities(self) -> zarr.Array[Any] | None:
        """Open what the network said, ``(K, *shape)``; None where it was not kept."""
        path = self.folder / "probabilities.zarr"
        if not path.is_dir():
            return None
        with reading(path):
            return zarr.open_array(path, mode="r")


class Project:
    """A project folder, open. Made by `create_project` and `open_project`."""

    def __init__(self, folder: Path, info: ProjectInfo, lock: FileLock | None, why: str = "") -> None:
        self.folder, self.info, self._lock = folder, info, lock
        self.why_read_only = why

    @property
    def writable(self) -> bool:
        """Whether this window holds the project; if not, `why_read_only` says who does."""
        return self._lock is not None

    def image(self) -> Path:
        """Return where the image is now.

        Raises
        ------
        UnreadableFileError
            It is neither beside the project as it was, nor where it was.
        """
        ways = self.info.image.places(self.folder)
        for way in ways:
            if way.exists():
                return way.resolve()
        raise UnreadableFileError(
            str(ways[0] if ways else self.folder), "the image of this project is gone", "Put it back, or move both"
        )

    def predictions(self, what: str = LABELS) -> list[Saved]:
        """Return those of labels (`LABELS`) or of boxes (`BOXES`), the newest first.

        Raises
        ------
        UnreadableFileError
            One is damaged.
        """
        folders = sorted((p.parent for p in (self.folder / "predictions").glob("*/prediction.yaml")), reverse=True)
        found = [Saved(f, read_info(PredictionInfo, f / "prediction.yaml")) for f in folders]
        return [s for s in found if s.has(what)]

    def add_prediction(self, info: PredictionInfo, labels: Any, probabilities: Any = None, *, job: Job) -> Saved:
        """Store a prediction of labels, whole or not at all.

        Parameters
        ----------
        info : PredictionInfo
        labels : array
            Integers from 0 to 2³² − 1, shape along ``info.axes``; any array that can be sliced.
        probabilities : array, optional
            ``(K, *shape)``.
        job : Job
            Told each plane.

        Raises
        ------
        UnwritableFileError, Cancelled
        """

        def fill(folder: Path) -> None:
            _store(folder / LABELS, labels, "uint32", job)
            if probabilities is not None:
                _store(folder / "probabilities.zarr", probabilities, "float16", job)

        return self._add(info, fill)

    def add_boxes(self, info: PredictionInfo, boxes: Boxes, shown: Mask) -> Saved:
        """Store a prediction of boxes, whole or not at all.

        Parameters
        ----------
        info : PredictionInfo
            With its ``boxes``.
        boxes : Boxes
            All that was found.
        shown : ndarray of bool
            ``(N,)``, which of it the thresholds show.

        Raises
        ------
        UnwritableFileError
        """
        return self._add(info, lambda folder: write_candidates(folder / BOXES, boxes, shown))

    def _add(self, info: PredictionInfo, fill: Callable[[Path], None]) -> Saved:
        parent = self.folder / "predictions"
        with writing(parent):
            parent.mkdir(exist_ok=True)
            folder = parent / f"{_next_number(parent):03d}-{_slug(info.name)}"
            with whole_or_nothing(folder, overwrite=False) as temporary:
                temporary.mkdir()
                info = info.model_copy(update={"created": _now()})
                (temporary / "prediction.yaml").write_text(info.to_yaml(), encoding="utf-8")
                fill(temporary)
        return Saved(folder, info)

    def close(self) -> None:
        """Let others write."""
        if self._lock is not None:
            (self.folder / "opened-by.yaml").unlink(missing_ok=True)
            self._lock.release()
            self._lock = None
            self.why_read_only = "is closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def create_project(folder: Path, image: ImageReference) -> Project:
    """Make a project and hold it.

    Raises
    ------
    UnwritableFileError
        There is one already, or the folder cannot be written.
    """
    with writing(folder), whole_or_nothing(folder, overwrite=False) as temporary:
        temporary.mkdir()
        info = ProjectInfo(created=_now(), program=f"napari-bioseg {__version__}", image=image)
        (temporary / "project.yaml").write_text(info.to_yaml(), encoding="utf-8")
    return open_project(folder)


def open_project(folder: Path) -> Project:
    """Open a project: to write, or to read when it is open elsewhere or lies in a folder that cannot be written.

    Raises
    ------
    UnreadableFileError
        It is no project, is damaged, or was made by a newer version.
    """
    project = read_project(folder)
    lock, why = _hold(folder)
    return Project(folder, project.info, lock, why)


def read_project(folder: Path) -> Project:
    """Open a project to read it, without the lock: nobody who wants to correct is kept from it.

    Raises
    ------
    UnreadableFileError
        As for `open_project`.
    """
    path = folder / "project.yaml"
    if not path.is_file():
        raise UnreadableFileError(str(folder), "is no project", "Choose a folder whose name ends in .bioseg")
    return Project(folder, read_info(ProjectInfo, path), None, "was opened to be read")


def is_project(path: str | Path) -> bool:
    """Whether a path is a project's folder."""
    return str(path).rstrip("/\\").endswith(ENDING) and (Path(path) / "project.yaml").is_file()


def holds(folder: Path, what: str) -> bool:
    """Whether a project has a prediction of labels (`LABELS`) or of boxes (`BOXES`), without reading any."""
    return next((folder / "predictions").glob(f"*/{what}"), None) is not None


def project_beside(source: Path, series: int = 0) -> Path:
    """Return where the project of an image file is: beside it, under its whole name, and its number among several."""
    return source.with_name(source.name + (f".{series}" if series else "") + ENDING)


def _hold(folder: Path) -> tuple[FileLock | None, str]:
    lock, who = FileLock(folder / ".lock"), folder / "opened-by.yaml"
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None, f"is open in another window{_told(who)}; close it there to correct here"
    except OSError as error:
        return None, f"lies in a folder that cannot be written ({error.strerror})"
    facts = {"host": socket.gethostname(), "process": os.getpid(), "since": _now()}
    try:
        who.write_text(yaml.safe_dump(facts), encoding="utf-8")
    except OSError as error:
        lock.release()
        return None, f"lies in a folder that cannot be written ({error.strerror})"
    return lock, ""


def _told(who: Path) -> str:
    try:
        facts = read_yaml(who)
    except RecipeError:  # being written now
        return ""
    return f" (process {facts.get('process')} on {facts.get('host')}, since {facts.get('since')})"


def _store(path: Path, values: Any, dtype: str, job: Job) -> None:
    shape = tuple(int(n) for n in values.shape)
    lead = len(shape) - 2
    array: zarr.Array[Any] = zarr.create_array(
        store=path,
        shape=shape,
        chunks=(1,) * lead + tuple(min(n, SIDE) for n in shape[lead:]),
        dtype=dtype,
        compressors=ZstdCodec(level=1),
        fill_value=0,
    )
    slabs = list(_slabs(values, lead))
    job.stage("Saving the prediction", len(slabs))
    for slab in slabs:
        block = np.asarray(values[slab])
        if dtype == "uint32" and block.size and (block.min() < 0 or block.max() > np.iinfo(np.uint32).max):
            raise UnwritableFileError(
                str(path), "labels go from 0 to 4,294,967,295, some here do not", "Number them anew first"
            )
        array[slab] = block
        job.step()


def _slabs(values: Any, lead: int) -> Iterator[tuple[int | slice, ...]]:
    """Yield what to read at once: as many planes as the source's chunks are deep, so that each is read once."""
    if not lead:
        yield ()
        return
    *outer, depth = values.shape[:lead]
    deep = getattr(values, "chunksize", getattr(values, "chunks", None))
    step = int(deep[lead - 1]) if deep else 1
    for place in np.ndindex(*outer):
        for start in range(0, depth, step):
            yield (*place, slice(start, min(start + step, depth)))


def _next_number(parent: Path) -> int:
    numbers = [int(p.name[:3]) for p in parent.iterdir() if p.name[:3].isdecimal()]
    return max(numbers, default=0) + 1


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.rsplit(" · ", maxsplit=1)[-1]).strip("-.")[:40] or "labels"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
