"""Vessels of a batch: all together, and branch by branch."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import zarr

from napari_bioseg.core import Cancelled, Job, image_from_array
from napari_bioseg.workflows import vessel_tables
from napari_bioseg.workflows.object_table import write_table
from napari_bioseg.workflows.vessel_check import check_vessels
from napari_bioseg.workflows.vessel_tables import measure_vessels, write_csv

SIZE = {"Z": 2.0, "Y": 0.5, "X": 0.5}
NAMES = {1: "cell", 2: "Blood vessel"}


def two_tubes():
    labels = np.zeros((9, 25, 80), np.uint32)
    labels[3:6, 10:15, 10:70] = 2
    labels[:, :, 38:43] = 0
    labels[0, 0, :] = 1
    return labels


def test_what_is_measured_is_what_the_vessel_check_writes(tmp_path):
    image = replace(
        image_from_array(np.zeros((3, 9, 25, 80), np.uint8), "CZYX", pixel_size=SIZE), translate=(0.0, 100.0, 0.0, 20.0)
    )
    labels = replace(image_from_array(two_tubes(), "ZYX", pixel_size=SIZE), translate=(100.0, 0.0, 20.0))
    stored = zarr.create_array(store={}, shape=(9, 25, 80), chunks=(3, 25, 40), dtype="uint32")
    stored[:] = two_tubes()
    totals, branches = measure_vessels(stored, "ZYX", image, names=NAMES)
    report = check_vessels(labels, values=(2,))
    (graph,) = [frame.graph for frame in report.frames]
    assert {name: column.tolist() for name, column in totals.columns.items()} == {
        "frame": [0],
        "branches": [2],
        "branch_points": [0],
        "end_points": [4],
        "length_um": [graph.length],
        "radius_mean_um": [graph.mean_radius],
    }
    assert graph.mean_radius == np.concatenate([b.radii for b in graph.branches]).mean() == pytest.approx(1, abs=0.5)
    written, _ = write_csv(report, tmp_path / "check.csv")
    ours, _ = write_table(branches, tmp_path / "ours")
    rows, expected = ([*csv.reader(path.open(encoding="utf-8"))] for path in (ours, written))
    assert rows[0] == expected[0]
    for row, other in zip(rows[1:], expected[1:], strict=True):
        assert row[2] == other[2] == "tip-tip"
        assert [float(v) for v in row[3:]] == pytest.approx([float(v) for v in other[3:]], abs=1e-4)


def test_frames_without_vessels_have_no_radius():
    movie = np.stack([two_tubes(), np.zeros((9, 25, 80), np.uint32)])
    totals, branches = measure_vessels(movie, "TZYX", None, names=NAMES)
    assert totals.columns["radius_mean_px"].tolist() == [pytest.approx(2, abs=0.8), None]
    assert totals.columns["length_px"].tolist()[1] == 0
    assert branches.columns["frame"].tolist() == [0, 0]
    _, none = measure_vessels(movie[1:], "TZYX", None, names=NAMES)
    assert [(n, c.dtype.kind) for n, c in none.columns.items()] == [
        (n, c.dtype.kind) for n, c in branches.columns.items()
    ]


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        ({"names": {1: "cell"}}, None),
        ({"instances": True}, "objects are numbered, and not all are of vessels"),
        ({"axes": "RYX"}, "the axes are RYX, not one of YX, ZYX, TYX, TZYX"),
        ({}, "0 million pixels are too many for one graph"),
    ],
)
def test_what_is_not_measured_is_said(monkeypatch, arguments, note):
    if not arguments:
        monkeypatch.setattr(vessel_tables, "LARGEST", 9 * 25 * 80 - 1)
    job = Job()
    assert measure_vessels(two_tubes(), image=None, job=job, **{"axes": "ZYX", "names": NAMES, **arguments}) is None
    assert job.notes == ([f"Vessels are not measured: {note}"] if note else [])


def test_numbered_objects_of_vessels_alone_are_measured():
    labels = two_tubes()
    labels[:, :, 40:] *= 300
    totals, _ = measure_vessels(labels, "ZYX", None, names={1: "vessel"}, instances=True)
    assert totals.columns["branches"].tolist() == [3]


def test_a_measurement_that_was_stopped_is_no_result():
    job = Job(lambda progress: job.cancel() if progress.done == 1 else None)
    with pytest.raises(Cancelled):
        measure_vessels(two_tubes(), "ZYX", None, names=NAMES, job=job)
