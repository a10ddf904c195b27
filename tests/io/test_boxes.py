"""Boxes survive our CSV, and come from the formats of others."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import UnreadableFileError, UnwritableFileError
from napari_bioseg.io.boxes import read_boxes, read_boxes_coco, read_boxes_csv, read_boxes_yolo, write_boxes_csv


@pytest.fixture
def boxes():
    rng = np.random.default_rng(0)
    return Boxes.of(
        rng.uniform(0, 500, (6, 2)).round(4),
        rng.uniform(2, 20, (6, 2)).round(4),
        frame=[0, 0, 1, 2, 2, 7],
        z=[0, 3, 0, 0, 1, 0],
        confidence=rng.random(6).round(4),
        hand=[True, False, False, True, False, False],
    )


def same(one, other):
    return all(np.array_equal(getattr(one, f), getattr(other, f)) for f in Boxes.__dataclass_fields__)


@pytest.mark.parametrize("scale", [None, (5.0, 0.1, 0.2)])
def test_a_csv_gives_back_what_was_written(tmp_path, boxes, scale):
    write_boxes_csv(tmp_path / "a.csv", boxes, scale=scale)
    assert same(read_boxes_csv(tmp_path / "a.csv"), boxes)


def test_the_columns_in_micrometers_are_world_coordinates(tmp_path):
    box = Boxes.of([[10, 20]], [[4, 6]], z=2)
    write_boxes_csv(tmp_path / "a.csv", box, scale=(5.0, 0.1, 0.2), translate=(1.0, 2.0, 3.0))
    header, row = (line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines())
    assert header[:8] == ["frame", "z", "y", "x", "height", "width", "confidence", "source"]
    values = dict(zip(header, row, strict=True))
    assert [float(values[k]) for k in ("z_um", "y_um", "x_um", "height_um", "width_um")] == [11, 3, 7, 0.4, 1.2]
    assert values["source"] == "model"


def test_no_boxes_are_a_header(tmp_path):
    write_boxes_csv(tmp_path / "a.csv", Boxes.none())
    assert len(read_boxes_csv(tmp_path / "a.csv")) == 0


def test_columns_that_may_be_missing(tmp_path):
    (tmp_path / "a.csv").write_text("x,y,width,height,note\n3,4,5,6,hello\n")
    found = read_boxes_csv(tmp_path / "a.csv")
    assert found.centre.tolist() == [[4, 3]]
    assert found.size.tolist() == [[6, 5]]
    assert found.confidence.tolist() == [1]
    assert not found.hand[0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("y,x\n1,2\n", "has no column height, width"),
        ("", "has no column"),
        ("y,x,height,width\n1,two,3,4\n", "line 2 has 'two' as x"),
        ("y,x,height,width\n1,nan,3,4\n", "line 2 has 'nan' as x"),
    ],
)
def test_a_wrong_csv_is_one_line(tmp_path, content, problem):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UnreadableFileError, match=problem) as caught:
        read_boxes_csv(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)


def test_a_missing_and_a_binary_file_are_one_line(tmp_path):
    (tmp_path / "b.csv").write_bytes(bytes(range(128, 256)))
    for name in ("a.csv", "b.csv"):
        with pytest.raises(UnreadableFileError, match="cannot be read"):
            read_boxes_csv(tmp_path / name)


def test_a_missing_folder_is_one_line_and_nothing_is_left(tmp_path, boxes):
    with pytest.raises(UnwritableFileError, match="does not exist"):
        write_boxes_csv(tmp_path / "no" / "a.csv", boxes)
    assert not list(tmp_path.iterdir())


def test_yolo(tmp_path):
    (tmp_path / "a.txt").write_text("0 0.5 0.25 0.1 0.2\n\n1 0.1 0.1 0.2 0.2 0.7\n")
    found = read_boxes_yolo(tmp_path / "a.txt", (100, 200))
    assert found.centre[0].tolist() == [24.5, 99.5]
    assert found.size[0].tolist() == [20, 20]
    assert found.confidence.tolist() == [1, 0.7]
    (tmp_path / "b.txt").write_text("0 0.5 0.25\n")
    with pytest.raises(UnreadableFileError, match="line 1 has 3 values"):
        read_boxes_yolo(tmp_path / "b.txt", (100, 200))
    (tmp_path / "c.txt").write_text("")
    assert len(read_boxes_yolo(tmp_path / "c.txt", (100, 200))) == 0


def test_coco(tmp_path):
    content = {
        "images": [{"id": 7, "file_name": "b.tif"}, {"id": 3, "file_name": "a.tif"}],
        "annotations": [
            {"image_id": 7, "bbox": [10, 20, 4, 6]},
            {"image_id": 3, "bbox": [0, 0, 2, 2], "score": 0.5},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    found = read_boxes_coco(tmp_path / "a.json")
    assert found.frame.tolist() == [1, 0]
    assert found.centre.tolist() == [[22.5, 11.5], [0.5, 0.5]]
    assert found.size.tolist() == [[6, 4], [2, 2]]
    assert len(read_boxes_coco(tmp_path / "a.json", "b.tif")) == 1
    with pytest.raises(UnreadableFileError, match=r"names no image c\.tif"):
        read_boxes_coco(tmp_path / "a.json", "c.tif")
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(UnreadableFileError, match="is no COCO file"):
        read_boxes_coco(tmp_path / "b.json")


def test_the_ending_says_how_to_read(tmp_path, boxes):
    write_boxes_csv(tmp_path / "a.CSV", boxes)
    assert same(read_boxes(tmp_path / "a.CSV"), boxes)
    (tmp_path / "a.txt").write_text("0 0.5 0.25 0.1 0.2\n")
    assert same(read_boxes(tmp_path / "a.txt", (100, 200)), read_boxes_yolo(tmp_path / "a.txt", (100, 200)))
    entry = {"images": [{"id": 1, "file_name": "a.tif"}], "annotations": [{"image_id": 1, "bbox": [1, 2, 3, 4]}]}
    (tmp_path / "a.json").write_text(json.dumps(entry))
    assert same(read_boxes(tmp_path / "a.json", image="a.tif"), read_boxes_coco(tmp_path / "a.json"))
    with pytest.raises(UnreadableFileError, match=r"names no image b\.tif"):
        read_boxes(tmp_path / "a.json", image="b.tif")


def test_what_the_ending_does_not_tell_is_one_line(tmp_path):
    with pytest.raises(UnreadableFileError, match=r"a\.xml: is of a kind.*\.csv"):
        read_boxes(tmp_path / "a.xml")
    with pytest.raises(UnreadableFileError, match="whose size"):
        read_boxes(tmp_path / "a.txt")
