"""Regions that the user means, as boxes of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.plugin.places import at_point, box_of, central, current_position, go_to

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def layer(viewer):
    return viewer.add_image(np.zeros((6, 80, 96), np.uint8), scale=(2.0, 0.5, 0.25), translate=(10.0, 0.0, 100.0))


def spans(box):
    return [(s.start, s.stop) for s in box]


def test_whole(layer):
    assert spans(box_of(layer, "ZYX", "whole")) == [(0, 6), (0, 80), (0, 96)]


def test_visible_of_a_pyramid_counts_full_pixels(viewer):
    full = np.zeros((64, 64), np.uint8)
    layer = viewer.add_image([full, full[::2, ::2], full[::4, ::4]], multiscale=True)
    layer.data_level = 2
    layer.corner_pixels = np.array([[2, 4], [9, 11]])
    assert spans(box_of(layer, "YX", "visible")) == [(8, 40), (16, 48)]


def test_a_view_beside_the_image_is_refused(layer):
    layer.corner_pixels = np.array([[0, 200, 200], [0, 300, 300]])
    with pytest.raises(RecipeError, match="beside the image"):
        box_of(layer, "ZYX", "visible")


def test_drawn_takes_pixels_whose_centres_are_inside(viewer, layer):
    shapes = viewer.add_shapes()
    with pytest.raises(RecipeError, match="no rectangle"):
        box_of(layer, "ZYX", "drawn", shapes=shapes)
    shapes.add_rectangles(np.array([[4.9, 101.2], [10.1, 104.0]]))
    # y: 4.9/0.5 = 9.8 to 20.2; x: (101.2 - 100)/0.25 = 4.8 to 16
    assert spans(box_of(layer, "ZYX", "drawn", shapes=shapes)) == [(0, 6), (10, 21), (5, 17)]


def test_the_selected_rectangle_counts_else_the_last(viewer, layer):
    shapes = viewer.add_shapes()
    shapes.add_rectangles([np.array([[5, 105], [10, 110]]), np.array([[15, 105], [20, 110]])])
    assert box_of(layer, "ZYX", "drawn", shapes=shapes)[1] == slice(30, 41)
    shapes.selected_data = {0}
    assert box_of(layer, "ZYX", "drawn", shapes=shapes)[1] == slice(10, 21)


def test_position_is_that_of_the_sliders_within_the_data(viewer, layer):
    viewer.dims.set_point(0, 16.0)
    assert current_position(viewer, layer)[0] == 3
    small = viewer.add_image(np.zeros((2, 80, 96), np.uint8), scale=(2.0, 0.5, 0.25), translate=(10.0, 0.0, 100.0))
    assert current_position(viewer, small)[0] == 1


def test_narrowing():
    box = (slice(0, 6), slice(0, 80), slice(10, 96))
    assert spans(at_point(box, "ZYX", (3, 1, 1), "Z")) == [(3, 4), (0, 80), (10, 96)]
    assert spans(central(box, "ZYX", 20)) == [(0, 6), (30, 50), (43, 63)]
    assert central(box, "ZYX", 100) == box


def test_layers_in_other_units_than_the_viewer_s(viewer):
    viewer.add_image(np.zeros((6, 80, 96), np.uint8), scale=(2.0, 0.5, 0.25), units="um")
    small = viewer.add_image(np.zeros((6, 80, 96), np.uint8), scale=(2000.0, 500.0, 250.0), units="nm")
    viewer.dims.set_current_step(0, 3)
    assert [current_position(viewer, layer)[0] for layer in viewer.layers] == [3, 3]
    shapes = viewer.add_shapes(units="um")
    shapes.add_rectangles(np.array([[5.0, 5.0], [20.0, 15.0]]))
    assert spans(box_of(small, "ZYX", "drawn", shapes=shapes)) == [(0, 6), (10, 41), (20, 61)]


def test_going_to_a_point_moves_the_sliders_and_the_camera(viewer, layer):
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    zoom = camera.zoom
    go_to(viewer, layer, [4, 30, 60])
    assert current_position(viewer, layer)[0] == 4
    assert tuple(camera.center)[-2:] == (15.0, 115.0)
    assert camera.zoom == zoom


def test_going_to_a_point_of_a_plane_leaves_the_sliders_of_others(viewer, layer):
    plane = viewer.add_image(np.zeros((80, 96), np.uint8))
    viewer.dims.set_current_step(0, 3)
    go_to(viewer, plane, [10, 20])
    assert viewer.dims.current_step[0] == 3
