"""How scores are shown."""

from __future__ import annotations

from napari_bioseg.cli.scores import score_table
from napari_bioseg.workflows.scores import Row


def test_a_class_that_an_image_lacks_has_no_score_there() -> None:
    rows = [Row("a", {"iou": 0.5, "iou_x": 0.5}, {}), Row("b", {"iou": 0.25, "iou_y": 0.125}, {})]
    header, *lines = score_table(rows).splitlines()
    assert header.split() == ["image", "by", "iou", "iou_x", "iou_y"]
    assert [line.split() for line in lines[-2:]] == [
        ["a", "model", "0.5000", "0.5000"],
        ["b", "model", "0.2500", "0.1250"],
    ]
