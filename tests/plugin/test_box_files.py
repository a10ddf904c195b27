"""Boxes through napari's own Open and Save: nothing changes on the way."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import image_from_array
from napari_bioseg.io.boxes import read_boxes_csv, write_boxes_csv
from napari_bioseg.plugin.box_files import holds_boxes, read_box_layers, write_boxes
from napari_bioseg.plugin.box_layer import box_layer, tune
from napari_bioseg.plugin.box_state import BoxState, boxes_of
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector

pytestmark = pytest.mark.gui


@pytest.fixture
def boxes():
    return Boxes.of(
        [[10, 12], [20, 5.5], [30, 31.25]], [[6, 4], [3, 3], [5, 5.5]], frame=[0, 2, 2], z=[1, 0, 3],
        confidence=[0.9, 0.4, 1.0], hand=[False, False, True],
    )  # fmt: skip


def same(one, other):
    assert np.array_equal(one.frame, other.frame)
    assert np.array_equal(one.z, other.z)
    assert np.array_equal(one.hand, other.hand)
    assert np.allclose(one.centre, other.centre, atol=1e-3)
    assert np.allclose(one.size, other.size, atol=1e-3)
    assert np.allclose(one.confidence, other.confidence, atol=1e-3)


def opened(path):
    from napari.layers import Layer

    (data,) = read_box_layers(path)
    return Layer.create(*data)


def test_a_csv_becomes_a_layer_in_the_world_and_a_csv_again(tmp_path, boxes):
    write_boxes_csv(tmp_path / "a.csv", boxes, scale=(2.0, 0.1, 0.2), translate=(1.0, 5.0, 7.0))
    assert holds_boxes(tmp_path / "a.csv")
    layer = opened(tmp_path / "a.csv")
    same(boxes_of(layer), boxes)
    assert np.allclose(layer.scale, (1, 2, 0.1, 0.2), rtol=1e-3)
    assert np.allclose(layer.translate, (0, 1, 5, 7), atol=1e-3)
    assert [str(u) for u in layer.units] == ["pixel", "micrometer", "micrometer", "micrometer"]
    assert write_boxes(str(tmp_path / "b.csv"), *layer.as_layer_data_tuple()[:2]) == [str(tmp_path / "b.csv")]
    same(read_boxes_csv(tmp_path / "b.csv"), boxes)
    header, first = (tmp_path / "b.csv").read_text().splitlines()[:2]
    assert header.endswith("width_um")
    assert np.allclose([float(v) for v in first.split(",")[8:]], [3.0, 6.0, 9.4, 0.6, 0.8], atol=1e-2)


def test_the_panel_saves_where_the_layer_lies(tmp_path, boxes):
    from napari_bioseg.plugin.box_state import state_of
    from napari_bioseg.workflows.detection import save_boxes

    write_boxes_csv(tmp_path / "a.csv", boxes, scale=(2.0, 0.1, 0.2), translate=(1.0, 5.0, 7.0))
    layer = opened(tmp_path / "a.csv")
    save_boxes(boxes_of(layer), tmp_path / "b.csv", state_of(layer).image)
    one, other = (np.genfromtxt(tmp_path / f"{n}.csv", delimiter=",", skip_header=1)[:, 8:] for n in "ab")
    assert np.allclose(one, other, atol=1e-2)


def test_boxes_of_a_huge_movie_open_without_its_pixels(tmp_path):
    far = Boxes.of([[10, 10], [9e5, 9e5]], [[4, 4]] * 2, frame=[0, 10**6])
    write_boxes_csv(tmp_path / "a.csv", far)
    assert boxes_of(opened(tmp_path / "a.csv")).frame.tolist() == [0, 10**6]


def test_without_micrometres_boxes_lie_in_pixels(tmp_path, boxes):
    write_boxes_csv(tmp_path / "a.csv", Boxes.of(boxes.centre, boxes.size))
    layer = opened(tmp_path / "a.csv")
    assert layer.ndim == 2
    assert layer.scale.tolist() == [1, 1]
    write_boxes(str(tmp_path / "b.csv"), *layer.as_layer_data_tuple()[:2])
    assert "um" not in (tmp_path / "b.csv").read_text()


def test_only_what_is_shown_is_written(tmp_path, boxes):
    image = image_from_array(np.zeros((3, 4, 40, 40)), "TZYX")
    state = BoxState(BoxSelector(boxes[:2]), BoxOptions(), 0.1, image, "TZYX")
    layer = box_layer(state, boxes[2:], name="b")
    tune(layer, BoxOptions(confidence=0.5))
    write_boxes(str(tmp_path / "b.csv"), *layer.as_layer_data_tuple()[:2])
    same(read_boxes_csv(tmp_path / "b.csv"), boxes[[0, 2]])


def test_any_shapes_layer_is_written(tmp_path):
    from napari.layers import Shapes

    layer = Shapes([np.array([[1, 2, 3], [1, 2, 9], [1, 6, 9.0]])], shape_type="polygon", axis_labels=("z", "y", "x"))
    write_boxes(str(tmp_path / "b.csv"), *layer.as_layer_data_tuple()[:2])
    back = read_boxes_csv(tmp_path / "b.csv")
    assert (back.z.tolist(), back.frame.tolist()) == ([1], [0])
    assert back.centre.tolist() == [[4, 6]]
    assert back.hand.all()


@pytest.mark.parametrize("text", ["", "index,axis-0\n1,2\n", "\x00\xff"])
def test_other_csv_files_are_left_to_napari(tmp_path, text):
    (tmp_path / "a.csv").write_text(text, encoding="latin-1")
    assert not holds_boxes(tmp_path / "a.csv")
    assert not holds_boxes(tmp_path / "missing.csv")
    (tmp_path / "a.txt").write_text("y,x,height,width\n")
    assert not holds_boxes(tmp_path / "a.txt")


def test_an_empty_table_opens_as_an_empty_layer(tmp_path):
    write_boxes_csv(tmp_path / "a.csv", Boxes.none(), scale=(1, 1, 1))
    assert len(opened(tmp_path / "a.csv").data) == 0
