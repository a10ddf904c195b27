from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_bioseg.drift import DISTANCES, OUTPUT
from napari_bioseg.workflows.drift_log import LoggedDrift, find_shift, log_entry, read_drift_log


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BIOSEG_RUNS", str(tmp_path))
    return tmp_path


def _entry(day: int, noise: float = 1.0) -> LoggedDrift:
    distances = dict.fromkeys(DISTANCES, 0.5) | {"noise": noise}
    return LoggedDrift(f"2026-10-{day:02}T10:00:00+00:00", f"image {day}", noise > 3, noise / 3, distances, ("noise",))


def test_what_is_added_is_read_in_order_for_each_model(folder: Path) -> None:
    for day in (1, 2, 3):
        log_entry("cells", _entry(day))
    log_entry("other", _entry(9))
    assert read_drift_log("cells") == (_entry(1), _entry(2), _entry(3))
    assert read_drift_log("none of these") == ()


def test_a_line_that_is_damaged_or_of_other_distances_is_left_out(folder: Path) -> None:
    log_entry("cells", _entry(1))
    with (folder / "drift" / "cells.jsonl").open("a") as stream:
        stream.write('{"time": "2026\n{"time": "x", "image": "y", "causes": [], "distances": {"old": 1}, ')
        stream.write('"warned": false, "score": 1}\n')
    log_entry("cells", _entry(2))
    assert read_drift_log("cells") == (_entry(1), _entry(2))


def test_an_image_that_was_checked_by_an_earlier_reference_is_read(folder: Path) -> None:
    early = replace(_entry(1), distances=dict.fromkeys(set(DISTANCES) - set(OUTPUT), 0.5))
    log_entry("cells", early)
    assert read_drift_log("cells") == (early,)


def test_a_list_that_cannot_be_written_stops_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "drift").write_text("a file", encoding="utf-8")
    log_entry("cells", _entry(1))
    assert "image 1 is not kept" in caplog.text


def test_since_when_the_images_have_changed_is_told() -> None:
    noise = np.random.default_rng(0).normal(1, 0.1, 60)
    noise[35:] += 2
    entries = [_entry(1 + i // 2, float(n)) for i, n in enumerate(noise)]
    shift = find_shift(entries)
    assert shift is not None
    assert shift.since == entries[35].time
    assert "since 2026-10-18: noise" in shift.words
    assert find_shift(entries[:35]) is None
