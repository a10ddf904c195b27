"""Layers that others made become images, or say what is missing."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from napari_bioseg.core.errors import IncompatibleImageError, UnknownAxesError
from napari_bioseg.core.image import image_from_array
from napari_bioseg.plugin.images import (
    axes_answered,
    axes_of_layer,
    axes_question,
    image_behind,
    image_of_layer,
    like_file,
    opened_with_answer,
    same_layer,
    set_axes,
    source_of,
)
from napari_bioseg.plugin.layers import Origin, image_layers
from napari_bioseg.plugin.reader import read_layers

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    return ViewerModel()


def test_a_plane_needs_no_answer(viewer):
    layer = viewer.add_image(np.zeros((4, 5)))
    assert axes_of_layer(layer) == "YX"
    assert axes_of_layer(viewer.add_image(np.zeros((4, 5, 3), "u1"), rgb=True)) == "YXS"


def test_axis_labels_are_believed(viewer):
    layer = viewer.add_image(
        np.zeros((3, 4, 5)), axis_labels=("time", "y", "x"), scale=(2, 3, 4), units=("ms", "nm", "nm")
    )
    image = image_of_layer(layer)
    assert image.axes == "TYX"
    assert image.scale == pytest.approx((0.002, 0.003, 0.004))
    assert image.units == ("second", "micrometer", "micrometer")


def test_a_bare_stack_is_not_guessed(viewer):
    layer = viewer.add_image(np.zeros((3, 4, 5)), name="stack")
    with pytest.raises(UnknownAxesError, match="stack") as caught:
        image_of_layer(layer)
    assert caught.value.choices[0] == "ZYX"
    assert caught.value.shape == (3, 4, 5)
    set_axes(layer, "TYX")
    assert image_of_layer(layer).axes == "TYX"
    assert viewer.dims.axis_labels == ("t", "y", "x")


def test_a_pixel_size_set_in_napari_counts(viewer):
    image = image_from_array(np.zeros((4, 5), "u1"), "YX")
    ((data, attributes, _),) = image_layers(image)
    layer = viewer.add_image(data, **attributes)
    assert image_of_layer(layer).pixel_size() == (None, None)
    layer.scale, layer.units = (0.5, 0.5), ("um", "um")
    assert image_of_layer(layer).pixel_size() == (0.5, 0.5)


def test_a_layer_whose_data_were_replaced_is_not_taken_for_its_file(viewer):
    image = image_from_array(np.zeros((2, 4, 5), "u1"), "CYX")
    data, attributes, _ = image_layers(image)[1]
    layer = viewer.add_image(data, **attributes)
    layer.data = np.zeros((3, 3), "u1")
    behind, channel = image_behind(layer)
    assert (behind.shape, channel) == ((3, 3), None)


def test_source_and_how_it_was_opened(viewer, tmp_path):
    from dataclasses import replace

    image = replace(image_from_array(np.zeros((2, 4, 5), "u1"), "ZYX"), source=tmp_path / "a.tif")
    data, attributes, _ = image_layers(image, Origin("ZYX", 2))[0]
    assert source_of(viewer.add_image(data, **attributes)) == (tmp_path / "a.tif", Origin("ZYX", 2))
    assert source_of(viewer.add_image(np.zeros((4, 5)))) == (None, Origin())


def test_proxies_are_the_layers_they_stand_for(viewer):
    from napari.utils._proxies import PublicOnlyProxy

    layer = viewer.add_image(np.zeros((4, 5)))
    assert same_layer(PublicOnlyProxy(layer), layer)
    assert not same_layer(layer, viewer.add_image(np.zeros((4, 5))))
    assert not same_layer(None, layer)
    assert same_layer(None, None)


def test_a_layer_is_compared_with_its_file(viewer, tmp_path):
    path = tmp_path / "two.ome.tif"
    tifffile.imwrite(path, np.zeros((2, 8, 9), "u1"), metadata={"axes": "CYX", "PhysicalSizeX": 0.5})
    own, _ = (viewer.add_image(data, **attributes) for data, attributes, _ in read_layers(path))
    like_file(own)()
    other = viewer.add_image(np.zeros((2, 8, 9), "u1"), axis_labels="cyx")  # as another reader gives it
    other._source = SimpleNamespace(path=str(path))
    with pytest.raises(IncompatibleImageError, match="pixel size differs from its file"):
        like_file(other)()
    own.data = np.zeros((4, 9), "u1")
    with pytest.raises(IncompatibleImageError, match="shape differs from its file"):
        like_file(own)()
    like_file(viewer.add_image(np.zeros((8, 9))))()


def test_whose_axes_were_answered(viewer, tmp_path):
    tifffile.imwrite(tmp_path / "bare.tif", np.zeros((3, 8, 9), "u1"), photometric="minisblack", metadata=None)
    ((data, attributes, _),) = read_layers(tmp_path / "bare.tif", axes="TYX")
    opened = viewer.add_image(data, **attributes)
    assert axes_answered(opened)
    assert opened_with_answer(opened)
    bare = viewer.add_image(np.zeros((3, 4, 5)))
    assert not axes_answered(bare)
    set_axes(bare, "ZYX")
    assert axes_answered(bare)
    assert not opened_with_answer(bare)
    assert axes_question(bare).choices[0] == "ZYX"
