"""On a real cluster of dask: workers are processes, and one of them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core.errors import RecipeError, WorkerError
from napari_bioseg.core.files import tree_sha256
from napari_bioseg.workflows import batch_connection
from napari_bioseg.workflows.batch_progress import Place
from napari_bioseg.workflows.batching import batch

distributed = pytest.importorskip("distributed")

_OPTIONS: dict[str, Any] = {"model": "tiny3d", "axes": "ZYX", "tile": 32, "backend": "torch", "device": "cpu"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=False
    ) as cluster:
        yield cluster


@pytest.fixture
def images(tmp_path: Path, tiny_zoo: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for i, name in enumerate(("a", "b")):
        values = np.random.default_rng(i).integers(0, 255, (16, 128, 128), dtype=np.uint8)
        tifffile.imwrite(folder / f"{name}.tif", values, photometric="minisblack")
    return folder


def _stores(out: Path) -> dict[str, str]:
    return {path.name: tree_sha256(path) for path in sorted(out.glob("*.ome.zarr"))}


def test_what_else_computes_here_meanwhile_does_not_go_to_the_cluster(cluster: Any) -> None:
    # Nor would it wait for ever where the cluster is gone.
    with ExitStack() as stack:
        batch_connection.connect(cluster.scheduler_address, stack)
        with pytest.raises(ValueError, match="No clients found"):
            distributed.default_client()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_a_worker_that_dies_changes_nothing(cluster: Any, images: Path, tmp_path: Path) -> None:
    here = batch([images], tmp_path / "here", **_OPTIONS)
    victims = [worker.pid for worker in cluster.workers.values()][:1]
    before = set(cluster.scheduler.workers)

    def kill(place: Place) -> None:
        if place.share > 0.2 and victims:
            os.kill(victims.pop(), signal.SIGKILL)

    there = batch([images], tmp_path / "there", scheduler=cluster.scheduler_address, listener=kill, **_OPTIONS)
    assert not victims
    assert set(cluster.scheduler.workers) != before
    assert (there.failed, len(there.records)) == ((), 2)
    assert _stores(there.out) == _stores(here.out)
    assert all(record.tiles == 16 for record in there.records)


def test_a_bad_image_stops_no_other_there_either(cluster: Any, images: Path, tmp_path: Path) -> None:
    (images / "a.tif").write_bytes(b"II*\0 no more")
    report = batch([images], tmp_path / "out", scheduler=cluster.scheduler_address, **_OPTIONS)
    assert [record.state for record in report.records] == ["failed", "done"]
    assert "a.tif" in report.failed[0].why


def test_a_scheduler_that_dies_is_told_in_one_line_and_nothing_is_lost(images: Path, tmp_path: Path) -> None:
    file, processes = tmp_path / "scheduler.json", []

    def begin(what: str, *flags: str) -> None:
        common = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard", *flags]
        processes.append(subprocess.Popen([sys.executable, "-m", "dask", what, *common], stderr=subprocess.DEVNULL))

    def kill(place: Place) -> None:
        if place.share > 0.2:
            processes[0].kill()

    try:
        begin("scheduler", "--port", "0")
        deadline = time.monotonic() + 60
        while not file.is_file() and time.monotonic() < deadline:
            time.sleep(0.05)
        begin("worker", "--nthreads", "1", "--no-nanny")
        with pytest.raises(WorkerError, match="is gone"):
            batch([images], tmp_path / "out", scheduler=str(file), listener=kill, **_OPTIONS)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert any((tmp_path / "out" / "run" / "work").rglob("tiles/tiles/*"))
    whole = batch([images], tmp_path / "whole", **_OPTIONS)
    assert _stores(batch([images], tmp_path / "out", **_OPTIONS).out) == _stores(whole.out)


@pytest.mark.parametrize("scheduler", ["nobody.json", "tcp://127.0.0.1:9", "nonsense://a"])
def test_a_scheduler_that_is_not_there_is_told_in_one_line_and_leaves_nothing(
    images: Path, tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_connection, "_PATIENCE", 1.0)  # nobody comes later either
    with pytest.raises(WorkerError, match="does not answer"):
        batch([images], tmp_path / "out", scheduler=scheduler, **_OPTIONS)
    assert not (tmp_path / "out").exists()


def test_a_cluster_is_one_of_those_that_dask_knows(images: Path, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text("class: os.system\n")
    with pytest.raises(RecipeError, match="is no cluster"):
        batch([images], tmp_path / "out", scheduler=str(tmp_path / "cluster.yaml"), **_OPTIONS)
