"""What a batch leaves behind: files, records and the model that it worked with."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from napari_bioseg.core.files import tree_sha256
from napari_bioseg.io import list_series, open_image
from napari_bioseg.models import find_model
from napari_bioseg.models.model import read_model, write_model
from napari_bioseg.runs import Run
from napari_bioseg.workflows.batch_items import find_items
from napari_bioseg.workflows.batch_options import BatchOptions
from napari_bioseg.workflows.batch_record import Records
from napari_bioseg.workflows.batch_task import Task
from napari_bioseg.workflows.batch_work import finish, run_tiles, start
from napari_bioseg.workflows.batching import BatchReport, batch

_OPTIONS: dict[str, Any] = {"model": "tiny2d", "axes": "ZYX", "tile": 32, "backend": "torch", "instances": True}


@pytest.fixture
def image(tmp_path: Path, tiny_zoo: Path) -> Path:
    path = tmp_path / "a.tif"
    values = np.random.default_rng(0).integers(0, 255, (2, 48, 64), dtype=np.uint8)
    tifffile.imwrite(path, values, photometric="minisblack")
    return path


def _batch(image: Path, out: Path, **changes: Any) -> BatchReport:
    return batch([image], out, **{**_OPTIONS, **changes})


def _task(image: Path, out: Path, **changes: Any) -> Task:
    (item,) = find_items([image], out)
    options = BatchOptions(**{**_OPTIONS, **changes})
    return Task(item, out, options, find_model(options.model), "weights")


@pytest.mark.parametrize(("copy", "version"), [(False, "0.5"), (True, "0.4"), (False, "0.4")])
def test_labels_are_there_with_or_without_the_image_in_both_versions(
    image: Path, tmp_path: Path, copy: bool, version: str
) -> None:
    report = _batch(image, tmp_path / "out", copy_image=copy, ome_zarr=version)
    assert report.failed == ()
    store = tmp_path / "out" / "a.ome.zarr"
    assert (store / ".zattrs").is_file() == (version == "0.4")
    assert len(list_series(store)) == 1
    written = open_image(store)
    assert [len(written.labels), written.data.dtype] == ([1, np.uint8] if copy else [0, np.uint32])
    labels = written.labels[0] if copy else written
    whole = open_image(_batch(image, tmp_path / "whole").out / "a.ome.zarr").labels[0]
    np.testing.assert_array_equal(labels.data.compute(), whole.data.compute())
    left, right = np.split(np.asarray(Picture.open(Records(report.out).path("a", ".png")).convert("RGB")), [256], 1)
    assert (right[:, -256:] != left).any()
    assert _batch(image, tmp_path / "out", copy_image=copy, ome_zarr=version).before == 1


def test_the_summary_and_the_record_tell_what_was_done(image: Path, tmp_path: Path) -> None:
    report = _batch(image, tmp_path / "out")
    (record,) = report.records
    labels = open_image(tmp_path / "out" / "a.ome.zarr").labels[0].data.compute()
    assert (record.objects, record.pixels, record.tiles) == (labels.max(), 2 * 48 * 64, 8)
    assert record.fraction == pytest.approx((labels > 0).mean())
    assert 0 < record.slowest_tile < record.network_seconds < record.seconds
    assert report.as_dict()["network_seconds"] == round(record.network_seconds, 2)
    with (tmp_path / "out" / "summary.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["state"], row["objects"], row["pixels"]) == ("done", str(record.objects), str(record.pixels))
    assert "thing" not in (tmp_path / "out" / "a.objects.csv").read_text()
    assert "data:image/png" in (tmp_path / "out" / "report.html").read_text()
    (line,) = Run(tmp_path / "out" / "run").metrics()
    assert line["pixels_per_second"] == pytest.approx(record.pixels / record.seconds)
    assert line["system"]["system_memory_usage_megabytes"] > 0
    assert not (tmp_path / "out" / "run" / "work" / "a").exists()
    again = _batch(image, tmp_path / "out")
    assert again.records == report.records


def test_classes_are_not_counted_but_named(image: Path, tmp_path: Path) -> None:
    (record,) = _batch(image, tmp_path / "out", instances=False).records
    assert record.objects is None
    assert "thing" in (tmp_path / "out" / "a.objects.csv").read_text()


def test_channels_are_no_pixels(image: Path, tmp_path: Path) -> None:
    (record,) = _batch(image, tmp_path / "out", axes="CYX").records
    assert record.pixels == 48 * 64


@pytest.mark.parametrize(
    "changes", [{}, {"model": "cdv-yolo", "axes": "TYX", "instances": False, "confidence": 0.01}], ids=["unet", "yolo"]
)
def test_what_the_network_has_seen_is_not_computed_again(image: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    """Of tiles that are kept, nothing is found once all in them is zero."""
    task = _task(image, tmp_path / "out", **changes)
    start(task)
    run_tiles(task)
    array = task.checkpoint.array()
    array[:] = np.zeros(array.shape, array.dtype)
    assert finish(task).objects == 0


def test_what_a_killed_batch_left_half_written_goes_and_nothing_else(image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "run" / "items").mkdir(parents=True)
    parts = [out / ".0123abcd.part.a.ome.zarr", out / "run" / ".0123abcd.part.run.json"]
    parts += [out / "run" / "items" / ".0123abcd.part.a.json", out / ".0123abcd.old.summary.csv"]
    others = [out / ".0123abcd.part.notes.txt", out / ".hidden.csv"]
    for path in (*parts, *others):
        path.write_bytes(b"")
    _batch(image, out)
    assert [path.name for path in parts if path.exists()] == []
    assert all(path.exists() for path in others)


def test_a_model_kept_beside_the_results_that_is_damaged_is_kept_anew(image: Path, tmp_path: Path) -> None:
    whole, model = tree_sha256(_batch(image, tmp_path / "out").out / "a.ome.zarr"), tmp_path / "out" / "run" / "model"
    kept = tree_sha256(model)
    for name in ("weights.safetensors", "card.yaml"):
        (model / name).write_bytes(b"cut")
        (tmp_path / "out" / "a.objects.csv").unlink()
        assert _batch(image, tmp_path / "out").failed == ()
        assert [tree_sha256(model), tree_sha256(tmp_path / "out" / "a.ome.zarr")] == [kept, whole]


def test_another_model_of_the_same_name_makes_all_anew(image: Path, tmp_path: Path, tiny_zoo: Path) -> None:
    before = tree_sha256(_batch(image, tmp_path / "out").out / "a.ome.zarr")
    model = read_model(tiny_zoo / "tiny2d")
    model.network.head.bias.data += 1
    write_model(tiny_zoo / "tiny2d", model.card, model.network, "# tiny\n")
    assert _batch(image, tmp_path / "out").before == 0
    after = tree_sha256(tmp_path / "out" / "a.ome.zarr")
    assert after != before
    assert tree_sha256(_batch(image, tmp_path / "new").out / "a.ome.zarr") == after


def test_the_key_changes_with_all_that_the_results_hang_on(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    task = _task(image, out)
    same = {_task(image, out, **changes).key for changes in ({}, {"workers": 2}, {"device": "cpu"})}
    assert same == {task.key}
    others = [replace(task, sha256="others"), replace(task, item=replace(task.item, series=1))]
    keys = {task.key, *(other.key for other in others), _task(image, out, threshold=0.3).key}
    monkeypatch.setattr("napari_bioseg.__version__", "0.0.0")
    assert len(keys | {replace(task).key}) == 5


def test_each_image_of_a_file_goes_its_own_way(tmp_path: Path, tiny_zoo: Path) -> None:
    rng = np.random.default_rng(0)
    with tifffile.TiffWriter(tmp_path / "two.tif") as file:
        for side in (40, 48):
            file.write(rng.integers(0, 255, (side, 32), dtype=np.uint8), photometric="minisblack")
    report = _batch(tmp_path / "two.tif", tmp_path / "out", axes="YX")
    assert [record.pixels for record in report.records] == [40 * 32, 48 * 32]


def test_a_record_that_cannot_be_read_is_none(image: Path, tmp_path: Path) -> None:
    _batch(image, tmp_path / "out")
    Records(tmp_path / "out").path("a").write_text("{")
    assert _batch(image, tmp_path / "out").before == 0


def test_tiles_of_an_image_that_was_changed_meanwhile_do_not_count(image: Path, tmp_path: Path) -> None:
    task = _task(image, tmp_path / "out")
    start(task)
    run_tiles(task)
    values = np.random.default_rng(1).integers(0, 255, (2, 32, 32), dtype=np.uint8)
    tifffile.imwrite(image, values, photometric="minisblack")
    changed = _task(image, tmp_path / "out")
    assert start(changed) == 2
    assert changed.checkpoint.done() == frozenset()
