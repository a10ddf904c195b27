"""A process that paints is killed at random moments.

As a program, this file makes those processes: it forks, so that each need not import numpy again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_bioseg.corrections.change import Change, Patch
from napari_bioseg.corrections.history import History
from napari_bioseg.corrections.journal import Journal, read_journal, replay
from napari_bioseg.corrections.records import Redo, Step, Undo, Verify, encode

SHAPE, KILLS, CHAINS = (3, 96, 128), 6, 4


class Painter:
    """Makes the records that a seed stands for, and the labels after each."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.labels = self.random.integers(0, 3, SHAPE).astype(np.uint32)
        self.history, self.steps = History(), {}

    def __next__(self):
        time = f"2026-01-01T00:00:00.{self.random.integers(1000):03}+00:00"
        choice = self.random.random()
        if choice < 0.05:
            z = int(self.random.integers(SHAPE[0]))
            return Verify((slice(z, z + 1), slice(0, SHAPE[1]), slice(0, SHAPE[2])), bool(z), time)
        if choice < 0.25 and self.history.done:
            step = self.history.undo()
            self.steps[step].revert(self.labels)
            return Undo(step, time)
        if choice < 0.4 and self.history.undone:
            step = self.history.redo()
            self.steps[step].apply(self.labels)
            return Redo(step, time)
        step = len(self.steps) + 1
        self.steps[step] = self.noise() if choice > 0.95 else self.paint()
        self.history.added(step)
        return Step(step, self.steps[step], time)

    def noise(self):
        """So many values that the line is long, to be cut in its middle now and then."""
        after = self.random.integers(0, 2**32, SHAPE, dtype=np.uint32)
        patch = Patch.between((0, 0, 0), self.labels, after)
        self.labels[:] = after
        return Change("replace", (patch,))

    def paint(self):
        """Some discs of one label, most above 65,535, some over each other."""
        patches, value = [], int(self.random.integers(2**32))
        for _ in range(self.random.integers(1, 4)):
            z, y, x = (int(self.random.integers(n)) for n in SHAPE)
            r = int(self.random.integers(1, 30))
            box = (slice(z, z + 1), slice(max(y - r, 0), y + r), slice(max(x - r, 0), x + r))
            before = self.labels[box].copy()
            ys, xs = np.ogrid[
                box[1].start : box[1].start + before.shape[1], box[2].start : box[2].start + before.shape[2]
            ]
            after = np.where((ys - y) ** 2 + (xs - x) ** 2 < r * r, np.uint32(value), before)
            patch = Patch.between([s.start for s in box], before, after)
            if patch is not None:
                patches.append(patch)
            self.labels[box] = after
        return Change("paint", tuple(patches))


def say(text):
    os.write(1, f"{text}\n".encode())  # in one piece, from any thread


def paint_until_killed(path, seed):
    painter, made = Painter(seed), 0
    told = {"on_problem": say, "on_written": lambda n: say(f"written {n}")}
    if path.exists():
        contents = read_journal(path)
        made = len(contents.records)
        for _ in range(made):
            next(painter)
        journal = Journal.resume(path, contents, **told)
    else:
        journal = Journal(path, {"shape": SHAPE}, **told)
    say(f"ready {os.getpid()}")
    while True:
        journal.append(next(painter))
        made += 1
        say(f"handed {made}")


def serve():
    """For each line of a journal's path and a seed, paint in a process of its own, and say when that is gone."""
    for line in sys.stdin:
        path, seed = line.split()
        process = os.fork()
        if not process:
            paint_until_killed(Path(path), int(seed))
        os.waitpid(process, 0)
        say("gone")


def kill_one(server, path, seed, random):
    """Return the last records that a process said were written, and handed over, before it was killed."""
    last = {"written": 0, "handed": 0}
    server.stdin.write(f"{path} {seed}\n")
    server.stdin.flush()
    what, process = server.stdout.readline().split()
    assert what == "ready"
    for _ in range(random.integers(1, 120)):
        note(server.stdout.readline(), last)
    for _ in range(random.integers(1, 10**5)):  # some moment between two lines, too
        pass
    os.kill(int(process), signal.SIGKILL)
    for line in iter(server.stdout.readline, "gone\n"):
        note(line, last)
    return last["written"], last["handed"]


def note(line, last):
    what, _, count = line.partition(" ")
    assert what in last, line
    last[what] = int(count)


def check(path, seed, written, handed):
    """All that was acknowledged is there, byte for byte; then the labels, too."""
    contents = read_journal(path)
    found = len(contents.records)
    assert written <= found <= written + 1
    assert found >= handed - 1
    painter = Painter(seed)
    expected = [encode(next(painter)) for _ in range(found)]
    assert path.read_bytes()[: contents.good_size].splitlines(keepends=True)[1:] == expected
    labels = Painter(seed).labels
    replay(path, labels, contents)
    assert np.array_equal(labels, painter.labels)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path):
    random = np.random.default_rng()
    command = [sys.executable, str(Path(__file__))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        for chain in range(CHAINS):
            path, before = tmp_path / f"{chain}.jsonl", 0
            for _ in range(KILLS):
                written, handed = kill_one(server, path, chain, random)
                check(path, chain, written or before, handed)
                assert max(written, handed) > before  # it went on where it stopped
                before = len(read_journal(path).records)
        server.stdin.close()


if __name__ == "__main__":
    serve()
