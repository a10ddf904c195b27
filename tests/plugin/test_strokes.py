from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_bioseg.plugin.strokes import change_of

pytestmark = pytest.mark.gui

SHAPES = [(40, 50), (4, 40, 50), (2, 3, 40, 50)]


@pytest.fixture(params=["numpy", "zarr"])
def store(request):
    def make(values):
        if request.param == "numpy":
            return values.copy()
        array = zarr.create_array(
            store={}, shape=values.shape, chunks=(1,) * (values.ndim - 2) + (16, 16), dtype="uint32"
        )
        array[...] = values
        return array

    return make


def painted(layer):
    """Everything that can be painted with, through napari; return the steps that it told of."""
    told = []
    layer.events.paint.connect(lambda event: told.append(change_of(str(layer.mode), event.value)))
    lead = (1,) * (layer.ndim - 2)
    layer.brush_size = 9
    layer.paint((*lead, 10, 10), 70_000)
    layer.paint((*lead, 0, 49), 3)  # half of the brush is off the edge
    layer.fill((*lead, 30, 30), 4)
    with layer.block_history():  # a drag is one step
        layer.paint((*lead, 10, 12), 0)
        layer.paint((*lead, 12, 14), 5)
    layer.paint_polygon([[*lead, 20, 20], [*lead, 20, 30], [*lead, 30, 25]], 2**32 - 1)
    layer.data_setitem(tuple(np.array(i) for i in zip((*lead, 3, 3), (*lead, 5, 4), strict=True)), 9)
    return told


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_are_what_napari_painted(shape, store):
    from napari.components import ViewerModel

    start = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint32)
    viewer = ViewerModel()
    layer = viewer.add_labels(store(start))
    viewer.dims.set_current_step(range(len(shape) - 2), (1,) * (len(shape) - 2))
    steps = painted(layer)
    assert len(steps) >= 5
    now = start.copy()
    for step in steps:
        step.apply(now)
    assert np.array_equal(now, np.asarray(layer.data[...]))
    for step in reversed(steps):
        step.revert(now)
    assert np.array_equal(now, start)


def test_indices_far_apart_make_no_huge_box():
    indices = tuple(np.array(i) for i in zip((0, 5, 5), (999, 9_000, 9_000), strict=True))
    change = change_of("paint", [(indices, np.zeros(2, np.uint32), 7)])
    assert [p.start for p in change.patches] == [(0, 5, 5), (999, 9_000, 9_000)]
    assert all(p.mask.size == 1 for p in change.patches)


def test_nothing_is_no_step():
    empty = np.array([], int)
    assert change_of("paint", [((empty, empty), np.array([], np.uint32), 1)]) is None
