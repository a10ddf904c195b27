"""Boxes are read on the axes of their image, and what does not lie in it is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_bioseg.core import IncompatibleImageError, UnreadableFileError, image_from_array
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image
from napari_bioseg.io.boxes import write_boxes_csv
from napari_bioseg.io.image_boxes import read_image_boxes

SHAPES = {"YX": (40, 60), "TYX": (3, 40, 60), "ZYX": (4, 40, 60), "TZYX": (3, 4, 40, 60), "CYX": (2, 40, 60)}


def image(axes: str) -> Image:
    return replace(image_from_array(np.zeros(SHAPES[axes], np.uint8), axes, name="a"), source=Path("/data/a.tif"))


def coco(path: Path, names: list[str]) -> Path:
    content = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
        "annotations": [{"image_id": i, "bbox": [10 + i, 20, 4, 6]} for i in range(len(names))],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(("axes", "frame", "z"), [("YX", 0, 0), ("TYX", 2, 0), ("ZYX", 0, 3), ("TZYX", 2, 3)])
def test_a_csv_counts_frames_along_t_and_planes_along_z(tmp_path: Path, axes: str, frame: int, z: int) -> None:
    write_boxes_csv(tmp_path / "a.csv", Boxes.of([[10, 50]], [[4, 6]], frame=frame, z=z))
    found = read_image_boxes(tmp_path / "a.csv", image(axes))
    assert (found.frame.tolist(), found.z.tolist(), found.centre.tolist()) == ([frame], [z], [[10, 50]])


def test_yolo_is_for_one_plane(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n", encoding="utf-8")
    for axes in ("YX", "CYX"):
        assert read_image_boxes(tmp_path / "a.txt", image(axes)).centre.tolist() == [[19.5, 29.5]]
    with pytest.raises(IncompatibleImageError, match=r"of one plane; a has 3.*CSV"):
        read_image_boxes(tmp_path / "a.txt", image("TYX"))


def test_a_coco_entry_is_found_by_its_name_or_is_a_plane_of_a_stack(tmp_path: Path) -> None:
    path = coco(tmp_path / "a.json", ["b.tif", "a.tif"])
    assert read_image_boxes(path, image("YX")).centre.tolist() == [[22.5, 12.5]]
    path = coco(tmp_path / "a.json", [f"{i}.tif" for i in range(12)])
    found = read_image_boxes(path, image("TZYX"))
    assert (found.frame[[0, 6, 11]].tolist(), found.z[[0, 6, 11]].tolist()) == ([0, 1, 2], [0, 2, 3])
    with pytest.raises(IncompatibleImageError, match="image number 12, the stack has 4 planes"):
        read_image_boxes(path, image("ZYX"))


@pytest.mark.parametrize(
    ("axes", "box", "problem"),
    [
        ("TYX", {"frame": 3}, "frame 3, a with axes TYX has 3"),
        ("TYX", {"z": 1}, "z 1, a with axes TYX has 1"),
        ("ZYX", {"frame": 1}, "frame 1, a with axes ZYX has 1.*other axes"),
        ("ZYX", {"z": -1}, "z -1, a with axes ZYX has 4"),
        ("YX", {"centre": [[50, 10]]}, "y 50, x 10, beside the 40 x 60"),
        ("YX", {"centre": [[-9, 10]]}, "y -9"),
        ("YX", {"size": [[4, 0]]}, "4 x 0 pixels"),
    ],
)
def test_what_lies_outside_is_named(tmp_path: Path, axes: str, box: dict[str, object], problem: str) -> None:
    good = {"centre": [[10, 10]], "size": [[4, 4]]}
    write_boxes_csv(tmp_path / "a.csv", Boxes.joined([Boxes.of(**good), Boxes.of(**{**good, **box})]))
    with pytest.raises(IncompatibleImageError, match=rf"a\.csv: .*{problem}") as caught:
        read_image_boxes(tmp_path / "a.csv", image(axes))
    assert "\n" not in str(caught.value)


# A detector gives such boxes to particles that the border cuts.
def test_a_centre_just_beyond_the_border_is_no_mistake(tmp_path: Path) -> None:
    write_boxes_csv(tmp_path / "a.csv", Boxes.of([[-1, 10], [10, 60.5]], [[4, 4], [4, 4]]))
    assert len(read_image_boxes(tmp_path / "a.csv", image("YX"))) == 2


def test_a_file_without_boxes_is_refused(tmp_path: Path) -> None:
    write_boxes_csv(tmp_path / "a.csv", Boxes.none())
    (tmp_path / "a.txt").write_text("", encoding="utf-8")
    for name in ("a.csv", "a.txt"):
        with pytest.raises(UnreadableFileError, match="holds no box"):
            read_image_boxes(tmp_path / name, image("YX"))
