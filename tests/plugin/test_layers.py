"""Images become layers that napari takes, lie right, and come back as the same images."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest

from napari_bioseg.core.image import image_from_array
from napari_bioseg.plugin.images import axes_of_layer, image_behind, image_of_layer
from napari_bioseg.plugin.layers import MOST_CHANNELS, channels_first, image_layers

pytestmark = pytest.mark.gui

SIZE = {"Z": 2.0, "Y": 0.5, "X": 0.25, "T": 3.0}


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    return ViewerModel()


def add(viewer, layers):
    return [getattr(viewer, f"add_{kind}")(data, **attributes) for data, attributes, kind in layers]


def an_image(axes, shape, dtype="u2", **kwargs):
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    return image_from_array(values, axes, pixel_size={a: SIZE[a] for a in axes if a in SIZE}, **kwargs)


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "TZYX", "YXS", "ZYXS", "RZYX"])
def test_round_trip(viewer, axes):
    shape = tuple({"S": 3}.get(a, 4 + i) for i, a in enumerate(axes))
    image = an_image(axes, shape, "u1", name="a")
    (layer,) = add(viewer, image_layers(image))
    back = image_of_layer(layer)
    assert layer.rgb == axes.endswith("S")
    assert (back.axes, back.shape, back.scale, back.units) == (image.axes, image.shape, image.scale, image.units)
    assert np.array_equal(np.asarray(back.data), np.asarray(image.data))


def test_geometry_reaches_the_viewer(viewer):
    image = replace(an_image("ZYX", (3, 4, 5)), translate=(1.0, 2.0, 3.0))
    (layer,) = add(viewer, image_layers(image))
    assert tuple(layer.scale) == (2.0, 0.5, 0.25)
    assert tuple(layer.translate) == (1.0, 2.0, 3.0)
    assert [str(u) for u in layer.units] == ["micrometer"] * 3
    assert viewer.dims.axis_labels == ("z", "y", "x")


def test_channels_become_layers_with_names_and_colours(viewer):
    image = replace(an_image("TCYX", (2, 2, 4, 5)), channel_names=("DAPI", "GFP"), name="cells")
    one, two = add(viewer, image_layers(image))
    assert (one.name, two.name) == ("cells · DAPI", "cells · GFP")
    assert one.colormap.name != two.colormap.name
    assert two.blending == "additive"
    assert np.array_equal(np.asarray(two.data), np.asarray(image.data[:, 1]))
    behind, channel = image_behind(two)
    assert (channel, behind.axes, behind.shape, behind.scale) == (1, "TCYX", image.shape, image.scale)


def test_many_channels_stay_an_axis_in_front(viewer):
    image = an_image("TCYX", (2, MOST_CHANNELS + 1, 4, 5))
    (layer,) = add(viewer, image_layers(image))
    assert axes_of_layer(layer) == "CTYX"
    assert np.array_equal(np.asarray(layer.data), np.moveaxis(np.asarray(image.data), 1, 0))
    assert channels_first(image_of_layer(layer)).axes == "CTYX"


def test_a_pyramid_stays_one(viewer):
    level = da.zeros((64, 64), dtype="u2", chunks=32)
    image = replace(an_image("YX", (64, 64)), levels=(level, level[::2, ::2]))
    (layer,) = add(viewer, image_layers(image))
    assert layer.multiscale
    assert [level.shape for level in image_of_layer(layer).levels] == [(64, 64), (32, 32)]


def test_pixels_are_not_read_but_for_a_sample(viewer):
    reads = []

    def block(block_info=None):
        reads.append(block_info[None]["chunk-location"])
        return np.zeros((1, 64, 64), "u2")

    lazy = da.map_blocks(block, chunks=((1,) * 50, (64,), (64,)), dtype="u2", meta=np.empty((0, 0, 0), "u2"))
    layers = image_layers(replace(an_image("ZYX", (1, 4, 4)), levels=(lazy,)))
    assert len(reads) == 1
    assert "contrast_limits" in layers[0][1]


def test_stored_labels_come_along_editable_and_in_their_colours(viewer):
    labels = replace(
        an_image("CZYX", (1, 3, 4, 5), "u4", name="truth"),
        metadata={
            "image-label": {
                "colors": [{"label-value": 0, "rgba": [0, 0, 0, 0]}, {"label-value": 1, "rgba": [255, 0, 0, 255]}]
            }
        },
    )
    image = replace(an_image("ZYX", (3, 4, 5), name="em"), labels=(labels,))
    picture, layer = add(viewer, image_layers(image))
    assert layer.name == "em · truth"
    assert isinstance(layer.data, np.ndarray)
    assert layer.data.shape == picture.data.shape
    assert tuple(layer.scale) == tuple(picture.scale)
    assert tuple(layer.colormap.map(1)) == (1.0, 0.0, 0.0, 1.0)


def test_instances_get_napari_s_own_colours(viewer):
    labels = replace(
        an_image("YX", (4, 5), "u4"), metadata={"image-label": {"colors": [{"label-value": 0, "rgba": [0, 0, 0, 0]}]}}
    )
    _, layer = add(viewer, image_layers(replace(an_image("YX", (4, 5)), labels=(labels,))))
    assert type(layer.colormap).__name__ == "CyclicLabelColormap"
