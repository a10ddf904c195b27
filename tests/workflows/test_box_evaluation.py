"""Scores of the shipped detector on files of boxes: those of the boxes that users get."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_bioseg import detect, evaluate
from napari_bioseg.core import BiosegError, Cancelled, Job, image_from_array
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.io.boxes import read_boxes_csv, write_boxes_csv
from napari_bioseg.metrics.detection import count_error, f1_at, mean_average_precision
from napari_bioseg.models import load_model
from napari_bioseg.simulate import emccd_frames
from napari_bioseg.workflows.box_evaluation import best_confidence
from napari_bioseg.workflows.options import EvaluateOptions

FRAMES = 6


@pytest.fixture(scope="module")
def movie() -> tuple[np.ndarray, Boxes]:
    return emccd_frames((FRAMES, 96, 112), 0.1, 3)


@pytest.fixture
def files(movie: tuple[np.ndarray, Boxes], tmp_path: Path) -> tuple[Path, Path]:
    frames, truth = movie
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    write_boxes_csv(tmp_path / "movie.csv", truth)
    return tmp_path / "movie.tif", tmp_path / "movie.csv"


def options(**changes: object) -> EvaluateOptions:
    return EvaluateOptions(**{"model": "cdv-yolo", "axes": "TYX", **changes})


def test_scores_are_those_of_the_boxes(movie: tuple[np.ndarray, Boxes], files: tuple[Path, Path]) -> None:
    (row,) = evaluate([files[0]], [files[1]], options(threshold=0.3))
    found = detect(image_from_array(movie[0], "TYX"), confidence=0.3)
    truth = read_boxes_csv(files[1])
    assert set(row.scores) == {"map50", "map", "f1", "count_error"}
    assert row.scores["f1"] == pytest.approx(f1_at(found.boxes, truth, 2))
    assert row.scores["count_error"] == pytest.approx(count_error(found.boxes, truth))
    every = found.selector.boxes[found.selector.keep(0.05, found.options)]
    assert row.scores["map"] == pytest.approx(mean_average_precision(every, truth))
    assert row.scores["map50"] > 0.6
    assert row.oracle == {}


def test_enough_frames_have_an_interval(movie: tuple[np.ndarray, Boxes], files: tuple[Path, Path]) -> None:
    (row,) = evaluate([files[0]], [files[1]], options(metrics=("f1", "f1_integral")))
    for name, score in row.scores.items():
        low, high = row.intervals[name]
        assert low <= score <= high
        assert low < high
    frames, truth = movie
    tifffile.imwrite(files[0], frames[:4], photometric="minisblack")
    write_boxes_csv(files[1], truth[truth.frame < 4])
    (row,) = evaluate([files[0]], [files[1]], options(metrics=("f1",)))
    assert row.intervals == {}


def test_planes_of_a_volume_are_frames(movie: tuple[np.ndarray, Boxes], files: tuple[Path, Path]) -> None:
    (frames,) = evaluate([files[0]], [files[1]], options())
    truth = movie[1]
    write_boxes_csv(files[1], Boxes.of(truth.centre, truth.size, z=truth.frame))
    (planes,) = evaluate([files[0]], [files[1]], options(axes="ZYX"))
    assert planes.scores == pytest.approx(frames.scores)
    assert planes.intervals == frames.intervals


def test_several_images_are_also_scored_together(movie: tuple[np.ndarray, Boxes], tmp_path: Path) -> None:
    frames, truth = movie
    images, boxes = [], []
    for t in range(FRAMES):
        images.append(tmp_path / f"{t}.tif")
        boxes.append(tmp_path / f"{t}.csv")
        tifffile.imwrite(images[-1], frames[t], photometric="minisblack")
        one = truth[truth.frame == t]
        write_boxes_csv(boxes[-1], replace(one, frame=one.frame * 0))
    *each, together = evaluate(images, boxes, options(axes="YX", metrics=("f1",)))
    assert len(each) == FRAMES
    found = detect(image_from_array(frames, "TYX")).boxes
    assert together.image == "all 6 images"
    assert together.scores["f1"] == pytest.approx(f1_at(found, truth, 2))
    assert together.intervals["f1"][0] < together.scores["f1"] < together.intervals["f1"][1]
    assert not any(row.intervals for row in each)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": ("dice",)}, "'dice': does not exist for detection models"),
        ({"axes": "ZYX"}, "frame 1, movie with axes ZYX has 1"),
        ({"axes": "RYX"}, "frame 1"),
    ],
)
def test_what_cannot_be_scored_is_told_before_the_network_runs(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], said: str
) -> None:
    monkeypatch.setattr("napari_bioseg.workflows.detection.predict", lambda *_, **__: pytest.fail("too late"))
    with pytest.raises(BiosegError, match=said):
        evaluate([files[0]], [files[1]], options(**changes))


def test_half_an_image_is_not_scored(files: tuple[Path, Path]) -> None:
    job = Job(lambda progress: job.cancel() if progress.done == 1 else None)
    with pytest.raises(Cancelled):
        evaluate([files[0]], [files[1]], options(), job=job)


def test_the_confidence_is_chosen_by_f1(movie: tuple[np.ndarray, Boxes]) -> None:
    frames, truth = movie
    image, tried = image_from_array(frames, "TYX"), (0.1, 0.3, 0.5, 0.9)
    best = best_confidence([(image, truth)], load_model("cdv-yolo"), options(), tried)
    scores = {c: f1_at(detect(image, confidence=c).boxes, truth, 2) for c in tried}
    assert scores[best] == max(scores.values()) > min(scores.values())
