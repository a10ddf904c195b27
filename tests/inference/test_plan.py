from __future__ import annotations

from typing import Any

import numpy as np

from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.inference.options import PredictOptions
from napari_bioseg.inference.plan import Plan, make_plan
from napari_bioseg.inference.tiles import Span, Tile


def plan(model: Any, shape: tuple[int, ...], axes: str, **more: Any) -> Plan:
    image = image_from_array(np.zeros(shape, np.uint8), axes)
    return make_plan(image, axes, model, PredictOptions(), box=more.get("box"), job=Job())


def test_a_small_image_is_one_tile(make_model: Any) -> None:
    chosen = plan(make_model(), (300, 400), "YX").with_tiles(2**20, None)
    assert chosen.total == 1
    assert chosen.chunk_shape == (300, 400)


def test_tiles_are_also_cut_along_z(make_model: Any, anisotropic: dict[str, Any]) -> None:
    chosen = plan(make_model(**anisotropic), (2, 60, 40, 40), "TZYX").with_tiles(40_000, None)
    assert chosen.edges[0] < 60
    assert chosen.lead_axes == "T"
    assert chosen.total == len(list(chosen.tiles()))


def test_chunks_are_small_where_tiles_are_large(make_model: Any, anisotropic: dict[str, Any]) -> None:
    chosen = plan(make_model(**anisotropic), (2, 60, 400, 400), "TZYX").with_tiles(2**24, None)
    assert chosen.total == 2
    assert chosen.chunk_shape == (1, 8, 200, 200)


def test_a_tile_lies_in_the_result_where_it_lies_in_the_box(make_model: Any) -> None:
    chosen = plan(make_model(), (5, 300, 400), "ZYX", box=(slice(2, 4), slice(100, 200), slice(50, 60)))
    tile = Tile((3,), (Span(110, 130), Span(50, 60)))
    assert chosen.place(tile) == (slice(1, 2), slice(10, 30), slice(0, 10))
    assert chosen.shape_of(tile) == (1, 20, 10)


def test_work_counts_every_plane(make_model: Any) -> None:
    model = make_model()
    one, three = plan(model, (64, 64), "YX"), plan(model, (3, 64, 64), "ZYX")
    side = 64 + 2 * min(model.halo[0], model.stride[0])
    assert one.work == side * side
    assert three.work == 3 * one.work
