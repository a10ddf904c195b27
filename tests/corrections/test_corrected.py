from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.corrected import find_corrected, read_corrected
from napari_bioseg.corrections.project import open_project, read_project

BOX = (slice(1, 2), slice(2, 6), slice(3, 9))


@pytest.fixture
def truth():
    return np.random.default_rng(0).integers(1, 9, (3, 10, 12))


@pytest.fixture
def folder(make_project, truth):
    return make_project("stack", np.zeros((3, 10, 12), np.uint8), truth, [BOX])


def test_labels_are_those_that_a_person_left(folder, truth):
    found = read_corrected(find_corrected(read_project(folder)))
    wanted = np.zeros(truth.shape, np.uint32)
    wanted[BOX] = truth[BOX]
    assert np.array_equal(found.labels, wanted)
    assert np.array_equal(found.changed((1,)), wanted[1] > 0)
    assert not found.changed((0,)).any()
    assert (found.verified.rectangles(), found.records) == ({(1,): [(2, 6, 3, 9)]}, 2)


def test_the_newest_that_was_corrected_is_found_and_nobody_is_kept_from_writing(folder):
    reading = read_project(folder)
    with open_project(folder) as window:
        assert (window.writable, reading.writable) == (True, False)
        info = window.predictions()[0].info
        window.add_prediction(info, np.zeros((3, 10, 12), np.uint32), job=Job())
    assert find_corrected(reading).id == "001-stack"
    newest = find_corrected(reading, "002-stack")
    assert read_corrected(newest).verified.planes() == {}
    with pytest.raises(UnreadableFileError, match=r"no prediction '003' of labels\. Choose one of: 002-stack, 0"):
        find_corrected(reading, "003")
    (folder / "predictions" / "001-stack" / "journal.jsonl").unlink()
    with pytest.raises(UnreadableFileError, match=r"stack\.tif\.bioseg: holds no corrected labels"):
        find_corrected(reading)


def test_no_project_is_one_line(tmp_path):
    with pytest.raises(UnreadableFileError, match="is no project"):
        read_project(tmp_path)
