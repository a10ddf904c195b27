"""Boxes in a layer: thresholds show and hide rows, and what a person did stands."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import image_from_array
from napari_bioseg.plugin.box_following import follow
from napari_bioseg.plugin.box_layer import box_layer, check, tune
from napari_bioseg.plugin.box_state import (
    BoxState,
    boxes_at,
    boxes_from_shapes,
    boxes_of,
    kept_rows,
    middle_of,
    rectangles,
    state_of,
    unfiltered,
)
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector

pytestmark = pytest.mark.gui

NEW = np.array([[1, 2, 2], [1, 2, 6], [1, 8, 6], [1, 8, 2]], float)


@pytest.fixture
def boxes():
    """Four in frame 0 and two in frame 1, the last of each hidden below one that is surer."""
    centre = [[10, 10], [10, 30], [30, 10], [30, 10.5], [20, 20], [20, 20.5]]
    confidence = [0.9, 0.3, 0.6, 0.55, 0.8, 0.7]
    return Boxes.of(centre, [[6, 4]] * 6, frame=[0, 0, 0, 0, 1, 1], confidence=confidence)


@pytest.fixture
def layer(boxes):
    image = image_from_array(np.zeros((2, 40, 40), np.uint16), "TYX", pixel_size={"Y": 0.1, "X": 0.2})
    state = BoxState(BoxSelector(boxes), BoxOptions(), 0.5, image, "TYX", {"model": "some"})
    return box_layer(state, name="boxes", placement={"scale": (1, 0.1, 0.2)}, owner="image")


def options(**changes):
    return BoxOptions(**changes)


def test_the_model_s_own_confidence_counts_until_one_is_set(layer, boxes):
    assert kept_rows(layer).tolist() == [0, 2, 4]
    tune(layer, options(confidence=0.2))
    assert kept_rows(layer).tolist() == [0, 1, 2, 4]
    tune(layer, options(confidence=0.85))
    assert kept_rows(layer).tolist() == [0]
    tune(layer, options(iou=1.0))
    assert kept_rows(layer).tolist() == [0, 2, 3, 4, 5]
    assert np.array_equal(boxes_of(layer).centre, boxes.centre[[0, 2, 3, 4, 5]])
    assert len(layer.data) == 6  # nothing is rebuilt


def test_only_kept_boxes_are_seen(layer):
    tune(layer, options(confidence=0.7))
    seen = layer.edge_color[:, 3] > 0
    assert np.flatnonzero(seen).tolist() == kept_rows(layer).tolist() == [0, 4]


def test_features_say_confidence_place_and_size(layer):
    row = layer.features.iloc[4]
    assert (row["confidence"], row["frame"], row["z"], row["source"]) == (0.8, 1, 0, "model")
    assert row["height_um"] == pytest.approx(0.6)
    assert row["width_um"] == pytest.approx(0.8)


def test_a_drawn_box_is_the_hand_s_and_stays(layer):
    layer.add_rectangles(NEW)
    assert state_of(layer).touched
    row = layer.features.iloc[6]
    assert (row["source"], row["confidence"], row["frame"], row["candidate"]) == ("hand", 1.0, 1, -1)
    assert row["height_um"] == pytest.approx(0.6)
    for confidence in (1.0, 0.0, 0.99):
        tune(layer, options(confidence=confidence))
        mine = boxes_of(layer)
        assert mine.hand.sum() == 1
        assert mine[mine.hand].centre.tolist() == [[5, 4]]
        assert mine[mine.hand].size.tolist() == [[6, 4]]


def test_several_boxes_that_come_at_once_are_all_the_hand_s(layer):
    layer.add_rectangles([NEW, NEW + np.array([0, 10, 10]), NEW + np.array([0, 20, 20])])
    assert boxes_of(layer).hand.sum() == 3
    assert (layer.edge_color[-3:] == layer.edge_color[-1]).all()


def test_a_moved_box_is_the_hand_s_and_its_candidate_does_not_come_back(layer):
    from napari.layers.base._base_constants import ActionType

    layer.selected_data = {2}
    layer._data_view.shift(2, np.array([3.0, 2.0]))  # what napari's mouse does, and then tells
    layer.events.data(value=layer.data, action=ActionType.CHANGED, data_indices=(2,), vertex_indices=((),))
    tune(layer, options(confidence=0.95))
    mine = boxes_of(layer)
    assert mine.centre.tolist() == [[33, 12]]
    assert mine.hand.all()
    tune(layer, options(confidence=0.0, iou=1.0))
    assert len(boxes_of(layer)) == 6


def test_a_deleted_box_does_not_come_back(layer):
    layer.selected_data = {0}
    layer.remove_selected()
    assert state_of(layer).touched
    tune(layer, options(confidence=0.0, iou=1.0))
    assert sorted(boxes_of(layer).confidence) == [0.3, 0.55, 0.6, 0.7, 0.8]
    layer.add_rectangles(NEW)
    assert boxes_of(layer).hand.tolist() == [False] * 5 + [True]


def test_a_checked_frame_stays_as_it_is(layer):
    check(layer, (0, 0), True)
    tune(layer, options(confidence=0.99))
    assert kept_rows(layer).tolist() == [0, 2]
    check(layer, (0, 0), False)
    assert kept_rows(layer).tolist() == []


def test_what_is_hidden_is_not_chosen(layer):
    layer.selected_data = {0, 1}
    assert set(layer.selected_data) == {0}
    tune(layer, options(confidence=0.95))
    assert not layer.selected_data


def test_the_mouse_finds_shown_boxes_only(layer):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    viewer.add_layer(layer)
    viewer.dims.set_point(0, 0)
    below_hidden = (0, 30 * 0.1, 10 * 0.2)  # row 3, which row 2 suppresses, lies on top
    assert layer.get_value(below_hidden, world=True) == (2, None)
    tune(layer, options(confidence=0.95))
    assert layer.get_value(below_hidden, world=True) == (None, None)
    layer.add_rectangles([[0, 25, 5], [0, 25, 15], [0, 35, 15], [0, 35, 5]])
    assert layer.get_value(below_hidden, world=True) == (6, None)


def test_of_boxes_one_in_the_other_the_mouse_finds_the_smaller(layer):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    viewer.add_layer(layer)
    viewer.dims.set_point(0, 0)
    layer.add_rectangles([[0, 5, 5], [0, 5, 15], [0, 15, 15], [0, 15, 5]])
    assert layer.get_value((0, 10 * 0.1, 10 * 0.2), world=True)[0] == 0


def test_a_layer_that_napari_made_anew_is_followed_once(layer):
    from napari.layers import Layer

    copy = Layer.create(*layer.as_layer_data_tuple())
    follow(copy)
    listening = len(copy.selected_data.events.items_changed)
    follow(copy)
    assert len(copy.selected_data.events.items_changed) == listening
    copy.add_rectangles(NEW)
    assert copy.features["source"].tolist() == ["model"] * 6 + ["hand"]


def test_a_pasted_box_is_the_hand_s(layer):
    layer.selected_data = {0}
    layer._copy_data()  # what Ctrl+C and Ctrl+V call
    layer._paste_data()
    assert state_of(layer).touched
    tune(layer, options(confidence=1.0))
    assert boxes_of(layer).hand.tolist() == [True]


def test_a_copy_has_a_state_of_its_own(layer):
    from napari.layers import Layer

    copy = Layer.create(*layer.as_layer_data_tuple())
    follow(copy)
    layer.selected_data = {0, 2}
    layer.remove_selected()
    copy.add_rectangles(NEW)
    assert copy.features["source"].tolist() == ["model"] * 6 + ["hand"]
    tune(copy, options(confidence=0.2))
    check(copy, (0, 0), True)
    assert state_of(layer).options.confidence is None
    assert not state_of(layer).checked


def test_what_was_moved_before_it_was_followed_counts(layer):
    from napari.layers import Layer

    copy = Layer.create(*layer.as_layer_data_tuple())
    copy._data_view.shift(4, np.array([3.0, 2.0]))
    follow(copy)
    assert state_of(copy).touched
    tune(copy, options(confidence=1.0))
    assert boxes_of(copy).centre.tolist() == [[23, 22]]


def test_boxes_of_a_file_are_all_shown_until_a_threshold_is_moved(boxes):
    image = image_from_array(np.zeros((2, 40, 40)), "TYX")
    state = BoxState(BoxSelector(boxes), BoxOptions(), 0.0, image, "TYX")
    layer = box_layer(state, name="file", shown=np.ones(6, bool))
    assert len(boxes_of(layer)) == 6
    tune(layer, options())
    assert len(boxes_of(layer)) == 4


def test_no_boxes_at_all(boxes):
    image = image_from_array(np.zeros((40, 40)), "YX")
    layer = box_layer(BoxState(BoxSelector(Boxes.none()), BoxOptions(), 0.5, image, "YX"), name="none")
    tune(layer, options(confidence=0.1))
    assert len(boxes_of(layer)) == 0
    layer.add_rectangles(NEW[:, 1:])
    assert boxes_of(layer).hand.tolist() == [True]
    assert np.isnan(layer.features["height_um"].iloc[0])


@pytest.mark.parametrize("axes", ["YX", "TYX", "ZYX", "TZYX"])
def test_rectangles_and_back(axes):
    frame, z = ([3, 4] if "T" in axes else 0), ([5, 6] if "Z" in axes else 0)
    boxes = Boxes.of([[1.5, 2.25], [7, 8]], [[3, 4], [5, 6]], frame=frame, z=z, hand=True)
    corners = rectangles(boxes, axes)
    assert corners.shape == (2, 4, len(axes))
    back = boxes_from_shapes(list(corners), axes)
    for name in ("frame", "z", "centre", "size", "hand"):
        assert np.array_equal(getattr(back, name), getattr(boxes, name))


def test_what_napari_keeps_of_a_box_makes_the_same_box_again():
    low = np.random.default_rng(0).random((500, 1, 2)) * [1, 900]
    kept = rectangles(Boxes.of(low[:, 0], low[:, 0] * 1.7 + 2), "YX").astype(np.float32)
    box = boxes_from_shapes(list(kept), "YX")
    assert np.array_equal(rectangles(box, "YX").astype(np.float32), kept)


def test_shapes_of_other_kinds_count_as_the_box_around_them():
    triangle = np.array([[1.0, 1], [5, 3], [1, 9]])
    assert boxes_from_shapes([triangle], "YX").corners.tolist() == [[1, 1, 5, 9]]


def test_parts_by_frame_and_by_confidence(layer, boxes):
    assert boxes_at(boxes, {(1, 0)}).confidence.tolist() == [0.8, 0.7]
    assert sorted(unfiltered(state_of(layer)).confidence) == [0.3, 0.6, 0.8, 0.9]
    assert middle_of(layer, 4).tolist() == [1, 20, 20]
