from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
import zarr

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import Cancelled, UnreadableFileError, UnwritableFileError
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.corrections.project import (
    BOXES,
    LABELS,
    create_project,
    holds,
    is_project,
    open_project,
    project_beside,
)
from napari_bioseg.corrections.project_info import BoxFacts, PredictionInfo, refer

INFO = PredictionInfo(
    name="stack · membranes", axes="ZYX", scale=(0.05, 0.004, 0.004), units=("micrometer",) * 3, translate=(0, 0, 0),
    classes=(ClassInfo(value=1, name="cell interior"),), provenance={"model": "membranes-unet2d"},
)  # fmt: skip


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "data" / "stack.tif"
    path.parent.mkdir()
    path.write_bytes(b"pixels")
    return path


@pytest.fixture
def project(image):
    folder = project_beside(image)
    with create_project(folder, refer(image, folder, shape=(4, 30, 20), name="stack")) as made:
        yield made


def labels():
    return np.random.default_rng(0).integers(0, 2**32, (4, 30, 20), dtype=np.uint32)


def test_a_prediction_comes_back_as_it_was(project):
    values, said = labels(), np.random.default_rng(1).random((2, 4, 30, 20)).astype(np.float16)
    project.add_prediction(INFO, values, said, job=Job())
    (saved,) = project.predictions()
    assert (saved.id, saved.info.classes, saved.info.scale) == ("001-membranes", INFO.classes, INFO.scale)
    assert np.array_equal(saved.labels()[:], values)
    assert np.array_equal(saved.probabilities()[:], said)


def test_the_newest_comes_first_and_probabilities_may_be_missing(project):
    chunked = zarr.create_array(store={}, shape=(4, 30, 20), chunks=(3, 16, 16), dtype="uint32")
    chunked[:] = labels()
    for name in ("a", "b · c/../d"):
        project.add_prediction(INFO.model_copy(update={"name": name}), chunked, job=Job())
    newest, oldest = project.predictions()
    assert (newest.id, oldest.id) == ("002-c-..-d", "001-a")
    assert newest.probabilities() is None
    assert np.array_equal(newest.labels()[:], labels())


def test_boxes_lie_beside_labels_and_neither_is_taken_for_the_other(project):
    boxes, shown = Boxes.of([[1 / 3, 2], [3, 4]], [[5, 6]] * 2, confidence=[0.1, 0.9]), np.array([False, True])
    facts = BoxFacts(shape=(4, 30, 20), thresholds={"confidence": None}, own_confidence=0.5, done=True)
    assert not holds(project.folder, BOXES)
    project.add_boxes(INFO.model_copy(update={"name": "a · cdv", "boxes": facts}), boxes, shown)
    assert (holds(project.folder, BOXES), holds(project.folder, LABELS)) == (True, False)
    project.add_prediction(INFO, labels(), job=Job())
    assert [s.id for s in project.predictions()] == ["002-membranes"]
    (saved,) = project.predictions(BOXES)
    assert (saved.id, saved.info.boxes) == ("001-cdv", facts)
    back, mask = saved.boxes()
    assert np.array_equal(back.centre, boxes.centre)
    assert mask.tolist() == [False, True]


def test_moved_with_its_image_or_left_behind(project, image, tmp_path):
    project.close()
    shutil.move(image.parent, tmp_path / "elsewhere")
    folder = project_beside(tmp_path / "elsewhere" / "stack.tif")
    with open_project(folder) as moved:
        assert moved.image() == (tmp_path / "elsewhere" / "stack.tif").resolve()
    shutil.copytree(folder, tmp_path / "far" / "off" / folder.name)
    (tmp_path / "elsewhere" / "stack.tif").rename(image.parent.parent / "stack.tif")
    with open_project(folder) as alone, pytest.raises(UnreadableFileError, match=r"stack\.tif: the image .* is gone"):
        alone.image()


def test_where_it_was_counts_when_the_project_alone_is_moved(project, image, tmp_path):
    project.close()
    shutil.move(project.folder, tmp_path / "a" / "b" / "c.bioseg")
    with open_project(tmp_path / "a" / "b" / "c.bioseg") as moved:
        assert moved.image() == image.resolve()


def test_the_second_window_reads_and_says_why(project):
    second = open_project(project.folder)
    assert not second.writable
    assert "is open in another window (process " in second.why_read_only
    project.close()
    with open_project(project.folder) as third:
        assert third.writable


@pytest.mark.parametrize("name", [".lock", "opened-by.yaml"])
def test_a_folder_that_cannot_be_written_is_read_and_says_why(project, name):
    project.close()
    (project.folder / name).unlink(missing_ok=True)
    (project.folder / name).mkdir()  # root may write into any folder, but not over one
    seen = open_project(project.folder)
    assert not seen.writable
    assert "lies in a folder that cannot be written (" in seen.why_read_only


def test_a_window_that_was_killed_holds_nothing(project):
    project.close()
    code = (
        "import os, sys; from pathlib import Path; from napari_bioseg.corrections.project import open_project;"
        "assert open_project(Path(sys.argv[1])).writable; os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(project.folder)], check=False).returncode == -9
    with open_project(project.folder) as again:
        assert again.writable


def test_a_newer_project_is_refused_in_one_line(project):
    path = project.folder / "project.yaml"
    path.write_text(path.read_text().replace("version: 1", "version: 2\nfuture: yes"))
    with pytest.raises(UnreadableFileError, match=r"project\.yaml: was made by a newer .*\(format 2\)\. Update"):
        open_project(project.folder)


@pytest.mark.parametrize("damage", ["image: [", "version: 1\n", "version: many\n"])
def test_a_damaged_project_is_one_line(project, damage):
    (project.folder / "project.yaml").write_text(damage)
    with pytest.raises(UnreadableFileError, match=r"project\.yaml: ") as caught:
        open_project(project.folder)
    assert "\n" not in str(caught.value)


def test_no_project(tmp_path):
    with pytest.raises(UnreadableFileError, match="is no project"):
        open_project(tmp_path)
    assert not is_project(tmp_path)


def test_cancelling_leaves_nothing(project):
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        project.add_prediction(INFO, labels(), job=job)
    assert list((project.folder / "predictions").iterdir()) == []


@pytest.mark.parametrize("value", [-1, 2**32])
def test_labels_that_do_not_fit_are_refused_and_leave_nothing(project, value):
    values = labels().astype(np.int64)
    values[3, 5, 5] = value
    with pytest.raises(UnwritableFileError, match="some here do not"):
        project.add_prediction(INFO, values, job=Job())
    assert list((project.folder / "predictions").iterdir()) == []


def test_missing_or_damaged_arrays_are_one_line(project):
    saved = project.add_prediction(INFO, labels(), job=Job())
    (saved.folder / "labels.zarr" / "zarr.json").write_text("{")
    with pytest.raises(UnreadableFileError, match=r"labels\.zarr: is missing or damaged"):
        saved.labels()


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(UnwritableFileError, match="does not exist"):
        create_project(tmp_path / "missing" / "a.bioseg", refer(tmp_path / "a.tif", tmp_path / "b", shape=(2, 2)))
