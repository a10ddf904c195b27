"""What the verbs tell of an image before they run a model on it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_bioseg import detect, segment
from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.models import load_model
from napari_bioseg.simulate import vesicle_scene
from napari_bioseg.workflows.drift_log import read_drift_log
from napari_bioseg.workflows.drift_look import look_first
from napari_bioseg.workflows.options import DetectOptions

UNLIKE = "blurred: unlike what cdv-yolo was trained on"


@pytest.fixture(scope="module")
def frame() -> npt.NDArray[np.uint16]:
    scene, _ = vesicle_scene(seed=777, shape=(1, 128, 128), scene="moderate")
    return np.asarray(scene[0])


@pytest.fixture
def blurred(frame: npt.NDArray[np.uint16]) -> Image:
    return image_from_array(ndimage.gaussian_filter(frame, 2.0), "YX", name="blurred")


def test_one_line_is_told_before_the_network_runs_and_the_boxes_are_the_same(blurred: Image) -> None:
    told: list[str] = []
    job = Job(lambda progress: told.append(progress.message), told.append)
    found, plain = detect(blurred, job=job), detect(blurred, drift=False)
    (line,) = [text for text in told if UNLIKE in text]
    assert told.index(line) < told.index("Detecting")
    np.testing.assert_array_equal(found.boxes.centre, plain.boxes.centre)
    assert found.provenance["drift"]["warned"]
    assert found.provenance["options"]["drift"]
    assert "drift" not in plain.provenance


def test_a_script_without_a_job_finds_the_warning_in_its_log(blurred: Image, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "napari_bioseg"):
        detect(blurred)
    assert [UNLIKE in record.message for record in caplog.records] == [True]


def test_every_look_is_in_the_list_of_its_model(
    blurred: Image, frame: npt.NDArray[np.uint16], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIOSEG_RUNS", str(tmp_path))
    usual = image_from_array(frame, "YX", name="usual")
    assert not detect(usual, job=Job(warn=pytest.fail)).provenance["drift"]["warned"]
    detect(blurred, job=Job())
    assert [entry.warned for entry in read_drift_log("cdv-yolo")] == [False, True]


@pytest.mark.usefixtures("tiny_zoo")
def test_a_model_that_does_not_know_its_training_just_segments(blurred: Image) -> None:
    result = segment(blurred, model="tiny2d", job=Job(warn=pytest.fail))
    assert "drift" not in result.provenance


def test_what_cannot_be_looked_at_is_left_to_the_prediction_and_a_stop_stops(blurred: Image) -> None:
    model = load_model("cdv-yolo")
    assert look_first(blurred, model, DetectOptions(region="Q=3")) is None
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        look_first(blurred, model, DetectOptions(), job=job)
