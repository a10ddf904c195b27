"""From an image to boxes and a CSV: the same for any tile, on every kind of stack, and for strange frames."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import tifffile
import torch
from pyarrow import parquet
from typer.testing import CliRunner

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import Cancelled, IncompatibleImageError, UnwritableFileError
from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.io.boxes import read_boxes_csv
from napari_bioseg.models.card import ArchitectureSpec, Card, InputSpec
from napari_bioseg.models.model import write_model
from napari_bioseg.models.normalise import Normalisation
from napari_bioseg.models.registry import build_network
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector
from napari_bioseg.simulate import emccd_frames
from napari_bioseg.workflows.detection import detect, fit_thresholds, save_boxes, save_detection, save_detection_tables


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """``tiny``: a detector that was trained for seconds, so that it finds bright particles."""
    from napari_bioseg.runs import Run
    from napari_bioseg.training.loop import fit
    from napari_bioseg.training.recipe import Recipe

    card = Card(
        name="tiny",
        title="Tiny",
        summary="Tests",
        task="detection",
        architecture=ArchitectureSpec(name="yolo", arguments={"widths": [6, 12]}),
        input=InputSpec(axes="YX", normalisation=Normalisation(low=5, high=99.9)),
        classes=({"value": 1, "name": "vesicle"},),
        licence="none",
        data="none",
        split="none",
    )
    torch.manual_seed(0)
    network = build_network("yolo", card.architecture.arguments)
    recipe = Recipe.checked(
        {
            "name": "tiny",
            "card": {"title": "t", "summary": "s", "licence": "l", "data": "d", "split": "s"},
            "task": "detection",
            "architecture": card.architecture.model_dump(),
            "input": card.input.model_dump(),
            "classes": [c.model_dump() for c in card.classes],
            "simulated": [{"generator": "vesicle_scene", "count": 8, "arguments": {"scene": "moderate"}}],
            "patch": [64, 64],
            "batch": 4,
            "losses": {"centres": 1, "boxes": 1},
            "epochs": 1,
            "steps": 60,
            "averaging": 0.9,
            "learning_rate": 0.01,
            "precision": "float32",
        },
        "recipe",
    )
    network = fit(recipe, Run(tmp_path_factory.mktemp("run")))
    folder = tmp_path_factory.mktemp("trained") / "tiny"
    write_model(folder, card, network, "# tiny")
    return folder


@pytest.fixture
def zoo(trained, tmp_path, monkeypatch):
    shutil.copytree(trained, tmp_path / "detectors" / "tiny")
    monkeypatch.setenv("BIOSEG_MODELS", str(tmp_path / "detectors"))
    return tmp_path / "detectors"


@pytest.fixture
def frames():
    return emccd_frames((3, 150, 170), 0.1, 7)


def rows(boxes):
    table = np.column_stack((boxes.frame, boxes.z, boxes.centre, boxes.size, boxes.confidence))
    return table[np.lexsort(table.T[::-1])]


def test_it_finds_particles_and_any_tile_gives_the_same(zoo, frames):
    image = image_from_array(frames[0], "TYX", pixel_size={"Y": 0.1, "X": 0.1})
    found = detect(image, model="tiny", confidence=0.2)
    assert len(found.boxes) > 10
    tiled = detect(image, model="tiny", confidence=0.2, tile=48)
    assert np.allclose(rows(found.boxes), rows(tiled.boxes), atol=5e-3)


def test_a_region_has_the_boxes_of_the_whole_in_pixels_of_the_whole(zoo, frames):
    image = image_from_array(frames[0], "ZYX")
    whole = detect(image, model="tiny", confidence=0.2).boxes
    part = detect(image, model="tiny", confidence=0.2, region="Z=1:3,Y=40:150,X=30:170").boxes
    assert set(part.z) <= {1, 2}
    assert not part.frame.any()
    inner = (whole.z >= 1) & (whole.centre > [42, 32]).all(axis=1)
    mine = (part.centre > [42, 32]).all(axis=1)
    assert np.allclose(rows(whole[inner]), rows(part[mine]), atol=5e-3)


def test_thresholds_move_without_the_network(zoo, frames):
    found = detect(image_from_array(frames[0], "TYX"), model="tiny")
    assert found.options.confidence == 0.5
    shutil.rmtree(zoo)
    counts = [int(found.selector.keep(c, found.options).sum()) for c in (0.05, 0.3, 0.6, 0.95)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((40, 50), np.uint16),
        np.full((40, 50), 65535, np.uint16),
        np.random.default_rng(0).normal(0, 1, (40, 50)).astype(np.float32),
        np.full((40, 50), np.nan, np.float32),
        np.zeros((1, 1), np.uint8),
        np.zeros((40, 50), bool),
    ],
    ids=["empty", "saturated", "noise", "nan", "1x1", "bool"],
)
def test_strange_frames_have_a_sensible_answer(zoo, values):
    found = detect(image_from_array(values, "YX"), model="tiny")
    assert np.isfinite(rows(found.boxes)).all()


def test_what_it_cannot_take_is_one_line(zoo, tiny_zoo, frames):
    with pytest.raises(IncompatibleImageError, match="complex"):
        detect(image_from_array(np.zeros((9, 9), np.complex64), "YX"), model=str(zoo / "tiny"))
    with pytest.raises(IncompatibleImageError, match="finds labels, not boxes"):
        detect(image_from_array(frames[0][0], "YX"), model="tiny2d")
    with pytest.raises(IncompatibleImageError, match="frames and planes"):
        detect(image_from_array(frames[0], "RYX"), model=str(zoo / "tiny"))


def test_segment_refuses_a_detector(zoo, frames):
    from napari_bioseg import segment

    with pytest.raises(IncompatibleImageError, match="finds boxes, not labels"):
        segment(image_from_array(frames[0][0], "YX"), model="tiny")


def test_the_command_line_writes_the_boxes_of_python(zoo, frames, tmp_path):
    from napari_bioseg.cli.app import app

    tifffile.imwrite(tmp_path / "a.tif", frames[0], photometric="minisblack")
    arguments = ["detect", str(tmp_path / "a.tif"), "--axes", "TYX", "--model", "tiny", "--confidence", "0.3"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "a.csv"), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])  # an older click mixes progress in
    expected = detect(image_from_array(frames[0], "TYX"), model="tiny", confidence=0.3).boxes
    written = read_boxes_csv(tmp_path / "a.csv")
    assert report["boxes"] == len(written) == len(expected)
    assert np.allclose(rows(written), rows(expected), atol=1e-3)
    assert report["options"]["confidence"] == 0.3


def test_wrong_endings_and_cancelled_detections_write_nothing(zoo, frames, tmp_path):
    image = image_from_array(frames[0], "TYX")
    with pytest.raises(UnwritableFileError, match=r"Use \.csv"):
        save_boxes(Boxes.none(), tmp_path / "a.tif", image)
    job = Job()
    job.cancel()
    stopped = detect(image, model="tiny", job=job)
    with pytest.raises(Cancelled):
        save_detection(stopped, tmp_path / "a.csv")
    with pytest.raises(Cancelled):
        save_detection_tables(stopped, tmp_path / "a")
    assert not [*tmp_path.glob("*.csv"), *tmp_path.glob("*.parquet")]


def test_a_batch_gets_the_csv_of_the_command_line_and_the_same_as_parquet(zoo, frames, tmp_path):
    image = image_from_array(frames[0], "TYX", pixel_size={"Y": 0.1, "X": 0.1})
    found = detect(image, model="tiny", confidence=0.3)
    paths = save_detection_tables(found, tmp_path / "a.boxes")
    assert paths == (tmp_path / "a.boxes.csv", tmp_path / "a.boxes.parquet")
    save_detection(found, tmp_path / "b.csv")
    assert paths[0].read_bytes() == (tmp_path / "b.csv").read_bytes()
    packed = parquet.read_table(paths[1]).to_pydict()
    with paths[0].open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == [*packed]
    assert len(packed["y"]) == len(found.boxes) > 0
    assert packed["frame"] == found.boxes.frame.tolist()
    assert packed["width_um"] == pytest.approx((found.boxes.size[:, 1] * 0.1).tolist())
    assert set(packed["source"]) == {"model"}


def test_progress_says_that_it_detects(zoo, frames):
    heard = []
    detect(image_from_array(frames[0][:1], "TYX"), model="tiny", job=Job(heard.append))
    assert {p.message for p in heard} == {"Detecting"}


def test_a_pixel_size_adds_columns(tmp_path):
    image = image_from_array(np.zeros((2, 30, 30)), "TYX", pixel_size={"Y": 0.1, "X": 0.1})
    save_boxes(Boxes.of([[10, 20]], [[4, 4]], frame=1), tmp_path / "a.csv", image)
    header, row = (tmp_path / "a.csv").read_text().splitlines()
    assert header.endswith("z_um,y_um,x_um,height_um,width_um")
    assert row.split(",")[9:11] == ["1.00000", "2.00000"]


def test_the_best_thresholds_separate_true_from_false():
    truth = Boxes.of(np.arange(10)[:, None] * [20, 20], np.full((10, 2), 5.0))
    false = Boxes.of(np.arange(10)[:, None] * [20, 20] + 9, np.full((10, 2), 5.0), confidence=0.3)
    found = Boxes.joined([Boxes.of(truth.centre, truth.size, confidence=0.8), false])
    fit = fit_thresholds(BoxSelector(found), truth, BoxOptions(iou=0.5))
    assert fit.confidence == 0.6  # the middle of 0.35 to 0.8
    assert fit.iou == 0.5
    assert fit.f1 == 1
    assert fit.curve[fit.confidences.index(0.3)] < 1
    assert fit.curve[fit.confidences.index(0.9)] == 0


def test_a_fit_can_be_cancelled():
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        fit_thresholds(BoxSelector(Boxes.none()), Boxes.none(), BoxOptions(), job=job)
