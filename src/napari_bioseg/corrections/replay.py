"""Making the steps of a journal again in the labels that they began with.

A step that was undone is never made: undo takes back what was done last, exactly, and a new step ends what could be
redone, so the labels are those at the beginning with the steps that are done, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_bioseg.core.job import Job
from napari_bioseg.corrections.change import Box, Change, Patch
from napari_bioseg.corrections.contents import Contents, opened, read_step
from napari_bioseg.corrections.history import History

_AT_ONCE = 2**26  # bytes of labels that are read, changed and written in one go


def replay(
    path: Path,
    labels: Any,
    contents: Contents,
    job: Job | None = None,
    *,
    seen: Callable[[Change], None] = lambda _change: None,
) -> None:
    """Bring labels to where a journal ends.

    Parameters
    ----------
    path : Path
        The journal.
    labels : array
        Uint32, numpy or zarr, as they were when the journal began; changed in place.
    contents : Contents
        What was read from it.
    job : Job, optional
        Told each step.
    seen : callable
        Told each change that is made.

    Raises
    ------
    UnreadableFileError
        A step is damaged or leaves the labels.
    Cancelled
        The labels are then at some step in between: begin again from the first ones.
    """
    job, done = job or Job(), History.of(contents).done
    job.stage("Making the corrections again", len(done))
    batch, shape = _Batch(labels), tuple(int(n) for n in labels.shape)
    with opened(path) as stream:
        for step in done:
            change = read_step(path, stream, contents.offsets[step], shape)
            for patch in change.patches:
                batch.add(patch)
            seen(change)
            job.step()
    batch.make()


@dataclass
class _Batch:
    """Patches in order that are made in one go, since together they touch no more chunks than one by one."""

    labels: Any
    patches: list[Patch] = field(default_factory=list)
    held: int = 0
    box: Box = ()

    def add(self, patch: Patch) -> None:
        box, size = self._chunks_around(patch.box), patch.mask.nbytes + patch.before.nbytes + patch.after.nbytes
        if self.patches:
            both = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(self.box, box, strict=True))
            apart = _volume(self.box) + _volume(box)
            if self.held + size > _AT_ONCE or 4 * _volume(both) > _AT_ONCE or _volume(both) > apart:
                self.make()
            else:
                box = both
        self.patches.append(patch)
        self.held += size
        self.box = box

    def make(self) -> None:
        if len(self.patches) == 1:
            self.patches[0].put(self.labels, self.patches[0].after)
        elif self.patches:
            region = np.asarray(self.labels[self.box])
            for patch in self.patches:
                inside = tuple(
                    slice(p - b.start, p - b.start + n)
                    for p, n, b in zip(patch.start, patch.mask.shape, self.box, strict=True)
                )
                region[inside][patch.mask] = patch.after
            self.labels[self.box] = region
        self.patches, self.held = [], 0

    def _chunks_around(self, box: Box) -> Box:
        """Grow a box to whole chunks: they are read and written anyway. A numpy array has none."""
        chunks = getattr(self.labels, "chunks", (1,) * len(box))
        return tuple(
            slice(s.start // c * c, min(-(-s.stop // c) * c, n))
            for s, c, n in zip(box, chunks, self.labels.shape, strict=True)
        )


def _volume(box: Box) -> int:
    return prod(s.stop - s.start for s in box)
