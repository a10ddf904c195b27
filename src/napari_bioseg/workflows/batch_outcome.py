"""What came of a batch: the report that is returned, and the one that is written."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_bioseg.core.errors import UnwritableFileError
from napari_bioseg.core.job import format_duration
from napari_bioseg.models.card import Card
from napari_bioseg.runs import Run
from napari_bioseg.runs.register import RECIPE
from napari_bioseg.workflows.batch_options import BatchOptions
from napari_bioseg.workflows.batch_progress import BatchProgress, Place, State
from napari_bioseg.workflows.batch_record import Record, Records
from napari_bioseg.workflows.batch_report import ImageRow, write_report

_STATES = {State.DONE: "done", State.FAILED: "failed", State.WAITING: "skipped", State.RUNNING: "skipped"}


@dataclass(frozen=True)
class BatchReport:
    """What a batch did.

    Attributes
    ----------
    out : Path
        Where the results are.
    records : tuple of Record
        Of every image, in order.
    before : int
        How many were done by an earlier batch and are still as they were written.
    seconds : float
        On the clock.
    """

    out: Path
    records: tuple[Record, ...]
    before: int
    seconds: float

    @property
    def failed(self) -> tuple[Record, ...]:
        """The images without results."""
        return tuple(record for record in self.records if record.state == "failed")

    @property
    def warned(self) -> tuple[Record, ...]:
        """The images that are unlike what the model was trained on, the most unlike first."""
        return tuple(sorted((r for r in self.records if r.warning), key=lambda r: -r.drift["score"]))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "out": str(self.out),
            "report": str(self.out / "report.html"),
            "images": len(self.records),
            "done": len(self.records) - len(self.failed),
            "done_before": self.before,
            "failed": {record.name: record.why for record in self.failed},
            "warned": {record.name: record.warning for record in self.warned},
            "seconds": round(self.seconds, 2),
            "network_seconds": round(sum(record.network_seconds for record in self.records), 2),
        }

    def __str__(self) -> str:
        done = len(self.records) - len(self.failed)
        before = f" ({self.before} of them before)" if self.before else ""
        wrong = f", {len(self.failed)} failed" if self.failed else ""
        unlike = f", {len(self.warned)} unlike the training" if self.warned else ""
        report = self.out / "report.html"
        images = f"{done} of {len(self.records)} images done{before}{wrong}{unlike}"
        return f"{images} in {format_duration(self.seconds)}; see {report}"


@contextmanager
def recorded(
    run: Run, inputs: Sequence[str | Path], options: BatchOptions, card: Card, progress: BatchProgress, began: float
) -> Iterator[None]:
    """Keep a record of the run, and leave a report behind however it ends."""
    images, out = run.folder.parent.name, run.folder.parent
    command = ["bioseg", "batch", *map(str, inputs), "--recipe", str(run.folder / RECIPE), "--out", str(out)]
    run.start(options.to_yaml(), kind="batch", name=images, tags={"model": card.name, "image": images})
    try:
        with run.ending():
            yield
    finally:
        rows = [_row(place, out) for place in progress.places]
        about = {"model": card.name, "version": card.version, "sha256": card.sha256, **options.model_dump(mode="json")}
        try:
            write_report(
                out,
                rows,
                title=f"{card.name} on {len(rows)} images",
                command=shlex.join(command),
                provenance=about,
                seconds=time.monotonic() - began,
            )
        except UnwritableFileError as error:
            progress.job.note(str(error))


def _row(place: Place, out: Path) -> ImageRow:
    record = place.record
    thumbnail = Records(out).path(place.item.name, ".png")
    if record is None:
        return ImageRow(place.item.name, str(place.item.source), _STATES[place.state], why="not reached yet")
    figures = {"objects", "fraction", "seconds", "network_seconds", "pixels"}
    return ImageRow(
        name=record.name,
        source=record.source,
        state=_STATES[place.state],
        why=record.why,
        thumbnail=thumbnail if record.state == "done" and thumbnail.is_file() else None,
        **(record.model_dump(include=figures) if record.state == "done" else {}),
        warning=record.warning,
        drift=record.drift.get("score"),
    )
