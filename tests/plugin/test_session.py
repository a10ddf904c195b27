"""Requests and results on a viewer model, without Qt and without threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import napari_bioseg
from napari_bioseg.core.errors import IncompatibleImageError, UnknownAxesError
from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.models import find_model, read_card
from napari_bioseg.plugin.layers import image_layers
from napari_bioseg.plugin.result import run, shown
from napari_bioseg.plugin.session import (
    is_edited,
    is_painting,
    make_request,
    model_image,
    result_of,
    show,
    stroke_under_way,
)
from napari_bioseg.workflows.options import SegmentOptions

pytestmark = pytest.mark.gui

SIZE = {"Z": 2.0, "Y": 0.5, "X": 0.25}


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    return ViewerModel()


def add(viewer, axes, shape, **kwargs):
    values = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    image = image_from_array(values, axes, pixel_size={a: SIZE[a] for a in axes if a in SIZE}, name="image")
    return image, [viewer.add_image(data, **attributes, **kwargs) for data, attributes, _ in image_layers(image)]


def ask(viewer, layer, model="tiny2d", **kwargs):
    return make_request(viewer, layer, read_card(find_model(model)), SegmentOptions(model=model), **kwargs)


@pytest.mark.parametrize("model", ["tiny2d", "tiny3d"])
def test_one_of_two_channels_is_that_of_the_command_line(viewer, tiny_zoo, model):
    image, (_, second) = add(viewer, "CZYX", (2, 4, 24, 32))
    request = ask(viewer, second, model)
    assert request.options.channel == 1
    layer = show(viewer, run(request, Job()))
    expected = napari_bioseg.segment(image, model=model, channel=1)
    assert np.array_equal(layer.data, expected.labels[...])
    assert layer.data.shape == second.data.shape
    assert np.array_equal(layer.scale, second.scale)


def test_many_channels_are_an_axis_and_the_one_on_screen_counts(viewer, tiny_zoo):
    image, (layer,) = add(viewer, "CYX", (9, 24, 32))
    viewer.dims.set_current_step(0, 4)
    request = ask(viewer, layer)
    assert request.options.channel == 4
    labels = show(viewer, run(request, Job()))
    assert labels.ndim == 2
    assert np.array_equal(labels.data, napari_bioseg.segment(image, model="tiny2d", channel=4).labels[...])


def test_colour_pictures(viewer, tiny_zoo):
    image, (layer,) = add(viewer, "YXS", (24, 32, 3))
    labels = show(viewer, run(ask(viewer, layer), Job()))
    assert labels.data.shape == (24, 32)
    assert np.array_equal(labels.data, napari_bioseg.segment(image, model="tiny2d").labels[...])


def test_the_current_volume_of_a_time_series(viewer, tiny_zoo):
    _, (layer,) = add(viewer, "TZYX", (3, 4, 24, 32))
    viewer.dims.set_current_step(0, 2)
    viewer.dims.set_current_step(1, 1)
    assert ask(viewer, layer, "tiny3d", current=True).options.region == "T=2"
    assert ask(viewer, layer, "tiny2d", current=True).options.region == "T=2,Z=1"
    assert ask(viewer, layer, "tiny3d", preview=True).options.region == "T=2,Z=1"


def test_a_turned_and_sheared_image_carries_its_labels_along(viewer, tiny_zoo):
    values = np.random.default_rng(0).integers(0, 255, (24, 32)).astype(np.uint8)
    layer = viewer.add_image(
        values, rotate=30, shear=[0.2], affine=[[1, 0.1, 5], [0, 2, 3], [0, 0, 1]], scale=(0.5, 0.25)
    )
    layer.corner_pixels = np.array([[4, 6], [11, 17]])
    labels = show(viewer, run(ask(viewer, layer, preview=True), Job()))
    for corner in ((0, 0), (7, 11)):
        there = layer.data_to_world(np.array(corner) + np.array((4, 6)))
        assert np.allclose(labels.data_to_world(corner), there)


def test_what_cannot_be_placed_is_refused(viewer):
    with pytest.raises(UnknownAxesError):
        model_image(viewer, viewer.add_image(np.zeros((3, 8, 9), np.uint8)))
    layer = viewer.add_image(np.zeros((3, 2, 8, 9), np.uint8), axis_labels=("z", "c", "y", "x"))
    with pytest.raises(IncompatibleImageError, match="first axis"):
        model_image(viewer, layer)


def test_a_result_is_kept_with_its_layer_and_painting_is_noticed(viewer, tiny_zoo):
    _, (layer,) = add(viewer, "YX", (24, 32))
    result = run(ask(viewer, layer), Job())
    labels = show(viewer, result)
    assert result_of(labels) is result
    assert result_of(layer) is None
    assert labels.metadata["bioseg"]["prediction"] is result.segmentation.prediction
    labels.refresh()
    assert not is_edited(labels)
    labels.paint((3, 3), 2)
    assert is_edited(labels)
    assert result_of(labels) is result


def test_labels_too_large_for_memory_stay_on_disk(monkeypatch):
    import zarr

    from napari_bioseg.plugin import result

    labels = zarr.array(np.arange(64, dtype=np.uint32).reshape(8, 8))
    assert isinstance(shown(labels), np.ndarray)
    monkeypatch.setattr(result, "IN_MEMORY", 100)
    assert shown(labels) is labels


def result_for(viewer, layer, model="tiny2d", **kwargs):
    return run(ask(viewer, layer, model, **kwargs), Job())


def test_painting_on_a_copy_is_noticed_too(viewer, tiny_zoo):
    from napari.layers._layer_actions import _duplicate_layer

    _, (layer,) = add(viewer, "YX", (24, 32))
    labels = show(viewer, result_for(viewer, layer))
    viewer.layers.selection.active = labels
    _duplicate_layer(viewer.layers)
    copy = viewer.layers[-1]
    assert copy is not labels
    copy.paint((3, 3), 2)
    assert is_edited(copy)
    assert not is_edited(labels)


@pytest.mark.parametrize("proxy", [False, True])
def test_a_stroke_under_way_is_seen(viewer, tiny_zoo, proxy, recwarn):
    from napari.utils._proxies import PublicOnlyProxy

    _, (layer,) = add(viewer, "YX", (24, 32))
    shown_to = PublicOnlyProxy(viewer) if proxy else viewer
    labels = show(shown_to, result_for(viewer, layer))
    with labels.block_history():
        assert not is_painting(labels)
        viewer.layers[-1].paint((3, 3), 2)
        assert not is_edited(labels)
        assert is_painting(labels)
        assert stroke_under_way(shown_to)
    assert is_edited(labels)
    assert not stroke_under_way(shown_to)
    assert not [w for w in recwarn if issubclass(w.category, FutureWarning) and "Private" in str(w.message)]


def test_a_preview_layer_used_again_has_the_new_colours_and_is_seen(viewer, tiny_zoo):
    _, (layer,) = add(viewer, "YX", (24, 32))
    preview = show(viewer, result_for(viewer, layer, preview=True))
    preview.visible = False
    viewer.layers.selection.active = layer
    result = result_for(viewer, layer, preview=True)
    other = ClassInfo(value=1, name="other", color="#0000ff")
    prediction = replace(result.segmentation.prediction, classes=(other,))
    result = replace(result, segmentation=replace(result.segmentation, prediction=prediction))
    assert show(viewer, result) is preview
    assert np.allclose(preview.colormap.map(1), (0, 0, 1, 1))
    assert preview.visible
    assert viewer.layers.selection.active is preview
