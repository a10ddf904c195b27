"""Contrast limits come from a sample and are always usable."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from napari_bioseg.plugin.contrast import SIDE, contrast_limits


def test_only_the_middle_of_the_middle_plane_is_read():
    read = []

    def block(block_info=None):
        read.append(block_info[None]["chunk-location"])
        return np.full((1, SIDE, SIDE), 7, np.uint16)

    image = da.map_blocks(
        block, chunks=((1,) * 9, (SIDE,) * 5, (SIDE,) * 5), dtype=np.uint16, meta=np.empty((0, 0, 0), "u2")
    )
    assert contrast_limits(image) == (7.0, 8.0)
    assert set(read) == {(4, 2, 2)}


def test_outliers_do_not_count():
    plane = np.linspace(100, 200, 256 * 256, dtype=np.float32).reshape(256, 256)
    plane[0, 0], plane[0, 1], plane[5, 5] = 1e9, np.nan, np.inf
    low, high = contrast_limits(da.from_array(plane))
    assert low == pytest.approx(100, abs=1)
    assert high == pytest.approx(200, abs=1)


@pytest.mark.parametrize(("dtype", "limits"), [("u1", None), ("?", (0.0, 1.0)), ("f4", (0.0, 1.0))])
def test_kinds_without_a_look(dtype, limits):
    values = np.full((4, 4), np.nan).astype(dtype) if dtype == "f4" else np.zeros((4, 4), dtype)
    assert contrast_limits(da.from_array(values)) == limits
