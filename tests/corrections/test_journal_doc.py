"""docs/journal.md is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_bioseg.corrections.change import Change, Patch
from napari_bioseg.corrections.journal import Journal, read_journal, replay
from napari_bioseg.corrections.records import Redo, Step, Undo, Verify
from napari_bioseg.corrections.sealing import unseal

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "journal.md").read_text(encoding="utf-8")


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return found


def test_the_first_line_shown_is_whole():
    assert unseal(block("json").encode())["format"] == "napari-bioseg journal"


def test_the_program_shown_makes_the_corrected_labels(tmp_path):
    random = np.random.default_rng(0)
    predicted = random.integers(0, 3, (3, 20, 30)).astype(np.uint32)
    zarr.create_array(store=tmp_path / "labels.zarr", data=predicted)
    labels, path, records = predicted.copy(), tmp_path / "journal.jsonl", []
    for number in range(1, 13):
        start = [int(n) for n in random.integers([2, 15, 25])]
        before = labels[tuple(slice(c, c + 6) for c in start)].copy()
        values = random.integers(2**32, size=before.shape if number % 3 else (), dtype=np.uint32)
        after = np.where(random.random(before.shape) < 0.7, values, before) if number % 2 else before * 0 + values
        records.append(Step(number, Change("paint", (Patch.between(start, before, after),))))
        records[-1].change.apply(labels)
    records += [Undo(12), Undo(11), Redo(11), Verify((slice(0, 1), slice(0, 9), slice(0, 9)), True)]
    with Journal(path, {"shape": predicted.shape}, on_problem=pytest.fail) as journal:
        for record in records:
            journal.append(record)
    with path.open("ab") as stream:
        stream.write(b'{"op": "change", "id": 13, "ti')
    subprocess.run([sys.executable, "-c", block("python"), str(tmp_path)], check=True)
    expected = predicted.copy()
    replay(path, expected, read_journal(path))
    assert np.array_equal(np.load(tmp_path / "corrected.npy"), expected)
    assert not np.array_equal(expected, predicted)
