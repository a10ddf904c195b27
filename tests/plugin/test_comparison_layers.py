"""Old, new and the truth lie on the planes that were compared, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import image_from_array
from napari_bioseg.plugin.comparison_layers import go_to_region, remove_compared, show_compared
from napari_bioseg.plugin.layers import image_layers
from napari_bioseg.workflows.comparison_result import Comparison, Shown

pytestmark = pytest.mark.gui

SHAPE = (6, 20, 30)


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    return ViewerModel()


def plane(value, height=20, width=30):
    return np.full((height, width), value, np.uint8)


def compared(*planes):
    return Comparison("a", "b", ("iou",), "slice", (), {}, "", planes=planes)


def add_image(viewer, tmp_path, axes="ZYX", shape=SHAPE, **more):
    from dataclasses import replace

    image = replace(image_from_array(np.zeros(shape, np.uint8), axes, **more), source=tmp_path / "stack.tif")
    return [viewer.add_image(data, **attributes) for data, attributes, _ in image_layers(image)]


def test_they_lie_exactly_on_the_image(viewer, tmp_path):
    (image,) = add_image(viewer, tmp_path, pixel_size={"Z": 2.0, "Y": 0.5, "X": 0.5})
    image.translate, image.rotate = (10.0, 1.0, 2.0), 20
    truth = plane(1).astype(np.int16)
    truth[:5] = -1
    shown = [Shown("stack", tmp_path / "stack.tif", None, (z,), plane(0), plane(1), truth) for z in (3, 4)]
    (found,) = show_compared(viewer, compared(*shown))
    assert [layer.name for layer in viewer.layers] == [
        image.name, "stack · old", "stack · new", "stack · truth",
    ]  # fmt: skip
    for layer in found.layers.values():
        assert layer.data.shape == SHAPE
        assert np.allclose(layer.data_to_world((3, 4, 5)), image.data_to_world((3, 4, 5)))
        assert layer.units == image.units
        assert not layer.data[[0, 1, 2, 5]].any()
    assert found.layers["new"].data[3:5].all()
    assert not found.layers["truth"].data[3, :5].any()
    assert found.layers["truth"].data[3, 5:].all()
    assert found.layers["truth"].contour == 1
    assert viewer.layers.selection.active == image
    go_to_region(viewer, image, (4,), (10, 20, 20, 30))
    assert viewer.dims.current_step[0] == 4
    show_compared(viewer, compared(shown[0]))
    assert len(viewer.layers) == 4
    remove_compared(viewer)
    assert list(viewer.layers) == [image]


def test_the_curtain_parts_old_from_new(viewer, tmp_path):
    add_image(viewer, tmp_path)
    (found,) = show_compared(
        viewer, compared(Shown("stack", tmp_path / "stack.tif", None, (2,), plane(1), plane(2), plane(1)))
    )
    old, new = found.layers["old"].data, found.layers["new"].data
    found.draw((2,), 0.4)
    assert old[2, :, :12].all()
    assert not old[2, :, 12:].any()
    assert not new[2, :, :12].any()
    assert (new[2, :, 12:] == 2).all()
    found.draw((1,), 0.4)
    assert not old[1].any()
    found.draw((2,), None)
    assert old[2].all()
    assert new[2].all()


def test_channels_that_are_layers_or_one_axis_do_not_move_it(viewer, tmp_path):
    for count in (2, 9):
        viewer.layers.clear()
        layers = add_image(viewer, tmp_path, "CZYX", (count, *SHAPE), pixel_size={"Z": 2.0, "Y": 0.5, "X": 0.5})
        (found,) = show_compared(
            viewer, compared(Shown("s", tmp_path / "stack.tif", None, (2,), plane(1), plane(1), plane(1)))
        )
        assert found.layers["old"].data.shape == SHAPE
        assert np.allclose(found.layers["old"].scale, layers[0].scale[-3:])
        go_to_region(viewer, found.image, (2,))
        assert viewer.dims.current_step[-3] == 2


def test_boxes_are_rectangles_in_their_frames(viewer, tmp_path):
    add_image(viewer, tmp_path, "TYX")
    boxes = Boxes.of([(5.0, 6.0), (8.0, 9.0)], [(4.0, 2.0)] * 2)
    shown = Shown("stack", tmp_path / "stack.tif", None, (2,), boxes, boxes[:1], Boxes.none())
    (found,) = show_compared(viewer, compared(shown))
    assert not found.labelled
    assert [len(found.layers[side].data) for side in ("old", "new", "truth")] == [2, 1, 0]
    corners = found.layers["new"].data[0]
    assert (corners[:, 0] == 2).all()
    assert (corners.min(0).tolist(), corners.max(0).tolist()) == ([2, 3, 5], [2, 7, 7])
    found.draw((2,), 0.5)
    assert len(found.layers["old"].data) == 2


def test_an_image_that_is_not_open_has_no_layers(viewer, tmp_path):
    add_image(viewer, tmp_path)
    assert (
        show_compared(viewer, compared(Shown("x", Path("other.tif"), None, (2,), plane(1), plane(1), plane(1)))) == ()
    )
    assert len(viewer.layers) == 1
