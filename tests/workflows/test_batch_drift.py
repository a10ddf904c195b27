"""A batch tells which images are unlike what its model was trained on."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tifffile
from scipy import ndimage

from napari_bioseg.drift import DISTANCES, OUTPUT
from napari_bioseg.runs import Run
from napari_bioseg.runs.contents import line_figures
from napari_bioseg.simulate import vesicle_scene
from napari_bioseg.workflows.batching import BatchReport, batch
from napari_bioseg.workflows.drift_log import read_drift_log


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three frames, two of them blurred; what is found goes to a list of their own."""
    folder = tmp_path_factory.mktemp("frames")
    scene, _ = vesicle_scene(seed=777, shape=(1, 256, 256), scene="moderate")
    for name, sigma in (("a-usual", 0.0), ("b-blurred", 2.0), ("c-blurred-more", 4.0)):
        tifffile.imwrite(folder / f"{name}.tif", ndimage.gaussian_filter(scene[0], sigma))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIOSEG_RUNS", str(tmp_path_factory.mktemp("user")))
        yield folder


@pytest.fixture(scope="module")
def done(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[BatchReport, Path]:
    out = tmp_path_factory.mktemp("out")
    return _batch(frames, out), out


def _batch(frames: Path, out: Path, **changes: Any) -> BatchReport:
    return batch([frames], out, model="cdv-yolo", axes="YX", backend="torch", **changes)


def test_outliers_are_told_the_worst_first(done: tuple[BatchReport, Path]) -> None:
    report, out = done
    assert [record.name for record in report.warned] == ["c-blurred-more", "b-blurred"]
    assert "2 unlike the training" in str(report)
    assert list(report.as_dict()["warned"]) == ["c-blurred-more", "b-blurred"]
    page = (out / "report.html").read_text()
    places = [page.index(f"<h3>{name}</h3>") for name in ("c-blurred-more", "b-blurred", "a-usual")]
    assert places == sorted(places)
    assert "Unlike what the model was trained on <span>2</span>" in page
    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows["a-usual"]["warning"] == ""
    assert "out of focus" in rows["c-blurred-more"]["warning"]
    assert float(rows["a-usual"]["drift"]) < 1 < float(rows["b-blurred"]["drift"])


def test_the_figures_go_to_the_run_and_to_the_models_list(frames: Path, done: tuple[BatchReport, Path]) -> None:
    _, out = done
    figures = [dict(line_figures(line)) for line in Run(out / "run").metrics()]
    assert all(
        {f"drift/{name}" for name in (*(set(DISTANCES) - set(OUTPUT)), "score")} <= set(found) for found in figures
    )
    entries = read_drift_log("cdv-yolo")
    assert [(e.image, e.warned) for e in entries] == [("a-usual", False), ("b-blurred", True), ("c-blurred-more", True)]
    assert [e.score for e in entries] == [found["drift/score"] for found in figures]
    _batch(frames, out)
    assert len(read_drift_log("cdv-yolo")) == 3  # what was done before is not told again


def test_it_is_left_out_on_demand_and_where_nothing_is_known(frames: Path, tmp_path: Path, tiny_zoo: Path) -> None:
    told = read_drift_log("cdv-yolo")
    report = _batch(frames, tmp_path / "out", drift=False)
    assert [record.drift for record in report.records] == [{}] * 3
    assert read_drift_log("cdv-yolo") == told
    report = batch([frames], tmp_path / "other", model="tiny2d", axes="YX", backend="torch")
    assert ([record.drift for record in report.records], report.warned) == ([{}] * 3, ())
    with (tmp_path / "other" / "summary.csv").open(newline="", encoding="utf-8") as file:
        assert {row["drift"] for row in csv.DictReader(file)} == {""}
    assert report.failed == ()
