"""The vessel check from labels to tables."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from napari_bioseg import workflows
from napari_bioseg.core.errors import Cancelled, IncompatibleImageError, RecipeError, UnwritableFileError
from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.workflows.vessel_check import VesselOptions, check_vessels
from napari_bioseg.workflows.vessel_tables import write_csv

SIZE = {"Z": 2.0, "Y": 0.5, "X": 0.5}


def broken_tube():
    labels = np.zeros((9, 25, 80), np.uint32)
    labels[3:6, 10:15, 10:70] = 70_000
    labels[:, :, 38:43] = 0
    return labels


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tables_say_what_was_found_in_micrometres(tmp_path):
    image = image_from_array(broken_tube(), "ZYX", pixel_size=SIZE)
    image = type(image)(**{**image.__dict__, "translate": (100.0, 0.0, 20.0)})
    report = workflows.check_vessels(image)
    assert report.done
    assert report.unit == "um"
    paths = write_csv(report, tmp_path / "vessels.csv")
    assert [p.name for p in paths] == ["vessels.csv", "vessels.findings.csv"]
    branches, found = (read(p) for p in paths)
    (frame,) = report.frames
    assert [float(b["length_um"]) for b in branches] == pytest.approx(
        [b.length for b in frame.graph.branches], abs=1e-4
    )
    assert [b["kind"] for b in branches] == ["tip-tip", "tip-tip"]
    assert sum(float(b["length_um"]) for b in branches) == pytest.approx((60 - 5) / 2, abs=1)
    (gap,) = found
    (finding,) = frame.findings
    assert gap["kind"] == "break"
    assert gap["reason"] == finding.reason
    assert float(gap["score"]) == pytest.approx(finding.score, abs=1e-4)
    assert gap["branches"].split() == ["1", "2"]
    pixels = [float(gap[f"{axis}_px"]) for axis in "zyx"]
    assert pixels == pytest.approx(finding.position, abs=1e-4)
    world = [float(gap[f"{axis}_um"]) for axis in "zyx"]
    assert world == pytest.approx(np.array(pixels) * (2, 0.5, 0.5) + (100, 0, 20), abs=1e-3)
    assert set(branches[0]) >= {
        "radius_mean_um",
        "radius_min_um",
        "radius_max_um",
        "tortuosity",
        "start_z_um",
        "end_x_px",
    }


def test_each_time_point_is_checked_by_itself():
    whole = broken_tube()
    whole[3:6, 10:15, 38:43] = 1
    movie = np.stack([whole, broken_tube(), np.zeros_like(whole)])
    report = check_vessels(movie, axes="TZYX", pixel_size=SIZE)
    assert [len(frame.graph.branches) for frame in report.frames] == [1, 2, 0]
    assert [len(frame.findings) for frame in report.frames] == [0, 1, 0]
    assert [frame.frame for frame in report.frames] == [0, 1, 2]


def test_only_the_label_values_that_are_vessel_count():
    labels = broken_tube()
    labels[3:6, 10:15, 38:43] = 2
    assert check_vessels(labels).frames[0].findings == ()
    assert [f.kind for f in check_vessels(labels, values=(70_000,)).frames[0].findings] == ["break"]


def test_without_a_pixel_size_lengths_are_in_pixels(tmp_path):
    job = Job()
    report = check_vessels(broken_tube(), job=job)
    assert report.unit == "px"
    assert "pixel size is not known" in job.notes[0]
    branches, found = (read(p) for p in write_csv(report, tmp_path / "a.csv"))
    assert "length_px" in branches[0]
    assert not any(name.endswith("_um") for name in [*branches[0], *found[0]])
    assert " px: two ends" in found[0]["reason"]


def test_a_probability_map_counts():
    labels = broken_tube()
    faint = check_vessels(labels, probabilities=np.full(labels.shape, 0.4, np.float32)).frames[0].findings[0]
    dark = check_vessels(labels, probabilities=np.zeros(labels.shape, np.float32))
    assert "probability 0.40" in faint.reason
    assert dark.frames[0].findings == ()
    with pytest.raises(IncompatibleImageError, match="probabilities"):
        check_vessels(labels, probabilities=np.zeros((9, 25, 81)))


def test_progress_and_cancel_between_time_points(tmp_path):
    movie = np.stack([broken_tube()] * 3)
    told = []

    def listen(progress):
        told.append((progress.done, progress.total))
        if progress.done == 3:
            job.cancel()

    job = Job(listen)
    report = check_vessels(movie, axes="TZYX", job=job)
    assert told == [(0, 9), (1, 9), (2, 9), (3, 9)]
    assert not report.done
    assert [frame.frame for frame in report.frames] == [0]
    with pytest.raises(Cancelled, match="cancelled"):
        write_csv(report, tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("labels", [np.zeros((2, 3, 4, 5, 6), np.uint8), np.zeros((4, 5), np.float32)])
def test_what_is_no_segmentation_is_refused(labels):
    axes = "TCZYX"[-labels.ndim :]
    with pytest.raises(IncompatibleImageError):
        check_vessels(labels, axes=axes)


def test_wrong_options_and_places_are_one_line(tmp_path):
    with pytest.raises(RecipeError, match="reach"):
        check_vessels(broken_tube(), reach=-1)
    report = check_vessels(broken_tube())
    with pytest.raises(UnwritableFileError, match=r"Use \.csv"):
        write_csv(report, tmp_path / "a.txt")
    with pytest.raises(UnwritableFileError, match="does not exist"):
        write_csv(report, tmp_path / "no" / "a.csv")


def test_each_option_does_something():
    """Options reach the functions that they are for."""
    labels = broken_tube()
    labels[4, 15:17, 25] = 70_000
    assert check_vessels(labels, reach=0).frames[0].findings == ()
    assert len(check_vessels(labels, prune=0).frames[0].graph.branches) > 2
    ring = np.zeros((60, 60), np.uint32)
    ring[10:50, 10:50] = 1
    ring[20:40, 20:40] = 0
    assert check_vessels(ring, loop=40).frames[0].findings[0].kind == "loop"
    assert check_vessels(ring, loop=0).frames[0].findings == ()
    assert all(field.description for field in VesselOptions.model_fields.values())
