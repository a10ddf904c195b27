from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core.errors import Cancelled, RecipeError, UnwritableFileError
from napari_bioseg.core.files import tree_sha256
from napari_bioseg.core.job import Job, Progress
from napari_bioseg.io import open_image
from napari_bioseg.runs import Run, at_work, lock
from napari_bioseg.workflows.batch_progress import Place, State
from napari_bioseg.workflows.batch_record import Records
from napari_bioseg.workflows.batching import BatchReport, batch
from napari_bioseg.workflows.segmentation import segment

_OPTIONS = {"model": "tiny2d", "axes": "ZYX", "tile": 32, "backend": "torch", "instances": True}


@pytest.fixture
def images(tmp_path: Path, tiny_zoo: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for i, name in enumerate(("a", "b", "c")):
        values = np.random.default_rng(i).integers(0, 255, (2, 64, 96), dtype=np.uint8)
        tifffile.imwrite(folder / f"{name}.tif", values, photometric="minisblack")
    return folder


def _batch(images: Path, out: Path, **changes: Any) -> BatchReport:
    return batch([images], out, **{**_OPTIONS, **changes})


def _results(out: Path) -> dict[str, str]:
    """What every result holds; `run` tells times, and `summary` and `report` repeat them."""
    left_out = ("run", "summary.csv", "summary.parquet", "report.html")
    return {path.name: tree_sha256(path) for path in sorted(out.iterdir()) if path.name not in left_out}


def test_each_image_gets_what_segment_gives(images: Path, tmp_path: Path) -> None:
    report = _batch(images, tmp_path / "out")
    assert (len(report.records), report.before, report.failed) == (3, 0, ())
    for name in "abc":
        written = open_image(tmp_path / "out" / f"{name}.ome.zarr")
        image = open_image(images / f"{name}.tif", axes="ZYX")
        alone = segment(image, model="tiny2d", tile=32, backend="torch", instances=True)
        np.testing.assert_array_equal(written.labels[0].data.compute(), alone.labels[:])
        np.testing.assert_array_equal(written.data.compute(), image.data.compute())
        rows = (tmp_path / "out" / f"{name}.objects.csv").read_text().splitlines()
        assert len(rows) == 1 + alone.labels[:].max()
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"bioseg batch {images} --recipe {tmp_path / 'out' / 'run' / 'recipe.yaml'} --out {tmp_path / 'out'}" in page
    assert not (tmp_path / "out" / "run" / "work" / "a").exists()


def test_what_is_done_is_not_done_again(images: Path, tmp_path: Path) -> None:
    _batch(images, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.ome.zarr/**/*")}
    report = _batch(images, tmp_path / "out")
    assert (report.before, [record.state for record in report.records]) == (3, ["done"] * 3)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("harm", ["changed", "removed"])
def test_a_result_that_does_not_hold_what_was_written_is_made_anew(images: Path, tmp_path: Path, harm: str) -> None:
    _batch(images, tmp_path / "out")
    whole = _results(tmp_path / "out")
    chunk = next(p for p in (tmp_path / "out" / "b.ome.zarr").rglob("c/**/*") if p.is_file())
    chunk.unlink() if harm == "removed" else chunk.write_bytes(b"\0" * chunk.stat().st_size)
    assert _batch(images, tmp_path / "out").before == 2
    assert _results(tmp_path / "out") == whole


def test_another_option_or_image_is_worked_on_again(images: Path, tmp_path: Path) -> None:
    _batch(images, tmp_path / "out")
    os.utime(images / "a.tif", ns=(1, 1))
    assert _batch(images, tmp_path / "out").before == 2
    assert _batch(images, tmp_path / "out", threshold=0.3).before == 0


def test_a_bad_image_stops_no_other(images: Path, tmp_path: Path) -> None:
    (images / "b.tif").write_bytes(b"II*\0 no more")
    run = tmp_path / "out" / "run"
    report = _batch(images, tmp_path / "out")
    assert [record.state for record in report.records] == ["done", "failed", "done"]
    assert "b.tif" in report.failed[0].why
    assert Records(report.out).read("b") == report.failed[0]
    assert "b.tif" in (tmp_path / "out" / "report.html").read_text()
    assert [line["state"] for line in Run(run).metrics()].count("failed") == 1
    info = Run(run).info
    assert info is not None
    assert (info.kind, info.status, info.tags["model"]) == ("batch", "finished", "tiny2d")
    shutil.copy(images / "a.tif", images / "b.tif")
    assert _batch(images, tmp_path / "out").failed == ()


def test_an_image_that_is_gone_is_told_as_such(images: Path, tmp_path: Path) -> None:
    report = batch([images / "a.tif", images / "none.tif"], tmp_path / "out", **_OPTIONS)
    assert [record.state for record in report.records] == ["done", "failed"]
    assert report.failed[0].why.endswith("there is no such file. Check the path")


@pytest.mark.parametrize(
    ("name", "share"), [("b", 0.3), ("c", 0.86)], ids=["in the network", "while the last results are written"]
)
def test_a_stopped_batch_keeps_what_is_done_and_goes_on(images: Path, tmp_path: Path, name: str, share: float) -> None:
    whole = _results(_batch(images, tmp_path / "whole").out)
    places: list[Place] = []

    def stop(place: Place) -> None:
        places.append(place)
        if place.item.name == name and place.share > share:
            job.cancel()

    job = Job()
    with pytest.raises(Cancelled):
        _batch(images, tmp_path / "out", job=job, listener=stop)
    assert [place.state for place in places[:3]] == [State.WAITING] * 3
    info = Run(tmp_path / "out" / "run").info
    assert info is not None
    assert info.status == "cancelled"
    assert "not reached yet" in (tmp_path / "out" / "report.html").read_text()
    summary = (tmp_path / "out" / "summary.csv").read_text()
    assert summary.count(",skipped,") >= 1
    assert summary.count(",failed,") == 0
    assert any((tmp_path / "out" / "run" / "work" / name / "tiles" / "tiles").iterdir())
    _batch(images, tmp_path / "out")
    assert _results(tmp_path / "out") == whole


_KILLED = """
import os, signal, sys
from napari_bioseg.core.job import Job
from napari_bioseg.workflows.batching import batch

def look(place):
    if place.item.name == "c" and place.share >= float(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

batch([sys.argv[1]], sys.argv[2], model="tiny2d", axes="ZYX", tile=32, backend="torch", instances=True, listener=look)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
@pytest.mark.parametrize("share", [0.3, 0.9], ids=["in the network", "while results are written"])
def test_a_killed_batch_goes_on_to_the_same_bytes(images: Path, tmp_path: Path, share: float) -> None:
    whole = _results(_batch(images, tmp_path / "whole").out)
    out = tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", _KILLED, images, out, str(share)], check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert _batch(images, out).before >= 1
    assert _results(out) == whole


def test_one_image_is_read_ahead_and_no_more(images: Path, tmp_path: Path) -> None:
    work, seen = tmp_path / "out" / "run" / "work", []

    def look(place: Place) -> None:
        if place.item.name == "a" and place.state == State.RUNNING and place.share > 0 and not seen:
            deadline = time.monotonic() + 60
            while not (work / "b" / "tiles" / "plan.json").is_file() and time.monotonic() < deadline:
                time.sleep(0.01)
            seen.extend(sorted(path.name for path in work.iterdir()))

    _batch(images, tmp_path / "out", listener=look)
    assert seen == ["a", "b"]


def test_boxes_get_tables(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).poisson(200, (2, 64, 64)).astype(np.uint16)
    frames[:, 20:24, 30:34] += 2000
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    report = batch([tmp_path / "movie.tif"], tmp_path / "out", model="cdv-yolo", axes="TYX")
    assert report.failed == ()
    rows = (tmp_path / "out" / "movie.boxes.csv").read_text().splitlines()
    assert report.records[0].objects == len(rows) - 1 > 0
    assert (tmp_path / "out" / "movie.boxes.parquet").is_file()


def test_an_option_of_the_other_kind_is_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="confidence"):
        _batch(images, tmp_path / "out", confidence=0.4)
    assert not (tmp_path / "out").exists()


def test_two_batches_do_not_work_in_one_folder(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_PATIENCE", 0.1)
    (tmp_path / "out" / "run").mkdir(parents=True)
    with at_work(tmp_path / "out" / "run"), pytest.raises(UnwritableFileError, match="at work"):
        _batch(images, tmp_path / "out")


def test_progress_counts_all_images(images: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    _batch(images, tmp_path / "out", job=Job(told.append))
    last = told[-1]
    assert last.done == last.total == round(3 * (images / "a.tif").stat().st_size / 1000)
    assert last.unit == "kB"
    assert {p.message for p in told} >= {f"{name} ({i} of 3 images)" for i, name in enumerate("abc", 1)}
    again: list[Progress] = []
    (images / "a.tif").write_bytes((images / "a.tif").read_bytes() + b"\0" * 10_000)  # counts almost twice
    _batch(images, tmp_path / "out", job=Job(again.append))
    opened = next(p for p in again if p.unit)
    assert (opened.done, opened.before) == (last.done * 2 // 3, last.done * 2 // 3)
