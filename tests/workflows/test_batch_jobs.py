"""Workers that a batch starts itself: jobs of a real SLURM, where there is one; what goes wrong there, everywhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core.errors import RecipeError, WorkerError
from napari_bioseg.core.files import tree_sha256
from napari_bioseg.workflows.batch_progress import Place
from napari_bioseg.workflows.batching import batch

pytest.importorskip("dask_jobqueue")

_OPTIONS: dict[str, Any] = {"model": "tiny3d", "axes": "ZYX", "tile": 32, "backend": "torch", "device": "cpu"}
_JOB = "class: SLURMCluster\ncores: 1\nprocesses: 1\nmemory: 2 GB\nwalltime: '00:10:00'\n"


@pytest.fixture(scope="module")
def slurm() -> None:
    if shutil.which("sbatch") is None:
        pytest.skip("SLURM is not here (no sbatch)")
    if subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        pytest.skip("no SLURM answers here (sinfo)")


@pytest.fixture
def image(tmp_path: Path, tiny_zoo: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 255, (16, 128, 128), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    return tmp_path / "a.tif"


def _spec(folder: Path, more: str = "") -> str:
    (folder / "cluster.yaml").write_text(f"{_JOB}log_directory: {folder / 'logs'}\n{more}")
    return str(folder / "cluster.yaml")


@pytest.mark.usefixtures("slurm")
def test_a_job_that_ends_is_asked_for_anew_and_changes_nothing(image: Path, tmp_path: Path) -> None:
    name = f"bioseg-{tmp_path.name}"
    left = [name]

    def cancel(place: Place) -> None:
        if place.share > 0.2 and left:
            subprocess.run(["scancel", "--name", left.pop()], check=True)

    spec = _spec(tmp_path, f"job_name: {name}\n")
    there = batch([image], tmp_path / "there", scheduler=spec, listener=cancel, **_OPTIONS)
    here = batch([image], tmp_path / "here", **_OPTIONS)
    assert not left
    assert len([*(tmp_path / "logs").glob("*.out")]) == 2
    assert tree_sha256(there.out / "a.ome.zarr") == tree_sha256(here.out / "a.ome.zarr")


@pytest.mark.usefixtures("slurm")
def test_what_slurm_refuses_is_told_in_one_line_and_leaves_nothing(image: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"no job was taken \(sbatch: error: .*partition"):
        batch([image], tmp_path / "out", scheduler=_spec(tmp_path, "queue: nobody-s\n"), **_OPTIONS)
    assert not (tmp_path / "out").exists()


def test_where_there_is_no_queue_it_is_told_in_one_line(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkerError, match=r"no job was taken \(sbatch: no such command here\)"):
        batch([image], tmp_path / "out", scheduler=_spec(tmp_path), **_OPTIONS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "why"),
    [("workers: 0", "workers is 0"), ("gpus: 3", "unexpected keyword argument 'gpus'"), ("interface: ib9", "'ib9'")],
)
def test_a_wrong_description_is_told_in_one_line(image: Path, tmp_path: Path, more: str, why: str) -> None:
    with pytest.raises(RecipeError, match=why):
        batch([image], tmp_path / "out", scheduler=_spec(tmp_path, more), **_OPTIONS)
