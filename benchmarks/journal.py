"""What the journal costs: ``python -m benchmarks.journal``; nothing but the package is needed.

Strokes of a brush of 20 px, 40 discs each, at random in 256×1024×1024 voxels: how long handing one over takes, how
large its line is, and how long it takes to read them all and make them again, in memory and in zarr on disk.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_bioseg.core.arrays import create_array
from napari_bioseg.corrections.change import Change, Patch
from napari_bioseg.corrections.journal import Journal, read_journal, replay
from napari_bioseg.corrections.records import Step

SHAPE, STROKES, DISCS, RADIUS = (256, 1024, 1024), 1000, 40, 10


def stroke(random: np.random.Generator) -> Change:
    """Return discs along a straight line in one plane, in one patch each."""
    z, y, x = (int(random.integers(n - 200)) for n in SHAPE)
    disc = np.hypot(*np.ogrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]) <= RADIUS
    label = np.array(random.integers(1, 100_000), np.uint32)
    background = np.array(0, np.uint32)
    return Change("paint", tuple(Patch((z, y + 2 * i, x + 4 * i), disc[None], background, label) for i in range(DISCS)))


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Print one line a figure."""
    random = np.random.default_rng(0)
    strokes = [Step(n + 1, stroke(random)) for n in range(STROKES)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        with Journal(path, {}, on_problem=lambda error: sys.stderr.write(f"{error}\n")) as journal:
            waits = [1e3 * timed(partial(journal.append, step)) for step in strokes]
            again = 1e3 * timed(partial(journal.read, STROKES // 2))
        say(f"append, one after the other: median {np.median(waits):.2f} ms, worst of 1,000 {max(waits):.1f} ms")
        say(f"read one again: {again:.2f} ms")
        say(f"a line: {path.stat().st_size / STROKES / 1e3:.1f} kB")
        contents = read_journal(path)
        say(f"read the journal: {timed(partial(read_journal, path)):.2f} s")
        arrays = {
            "memory": np.zeros(SHAPE, np.uint32),
            "zarr": create_array(Path(folder) / "labels.zarr", SHAPE, (1, 512, 512), "uint32"),
        }
        for name, labels in arrays.items():
            say(f"make 1,000 strokes again in {name}: {timed(partial(replay, path, labels, contents)):.2f} s")


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
