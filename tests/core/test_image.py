from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.core import Image, image_from_array


@given(st.permutations("TCZYX"), st.dictionaries(st.sampled_from("TCZYX"), st.floats(1e-3, 1e3)))
def test_pixel_sizes_follow_their_axes(letters, sizes):
    axes = "".join(letters)
    image = image_from_array(np.zeros((1, 2, 3, 4, 5)), axes, pixel_size=sizes)
    for letter in axes:
        i = image.axis(letter)
        assert image.shape[i] == i + 1
        assert image.scale[i] == sizes.get(letter, 1.0)
        assert image.pixel_size(letter) == (sizes.get(letter) if letter in "ZYX" else None,)
    assert image.spatial_axes == "".join(a for a in axes if a in "ZYX")
    assert image.axis("S") == -1


def test_an_array_is_wrapped_lazily():
    lazy = da.ones((4, 6), chunks=2, dtype=np.uint16)
    image = image_from_array(lazy, "YX", name="plane")
    assert image.data is lazy
    assert image.dtype == np.uint16
    assert image.name == "plane"
    assert image.units == (None, None)
    assert np.array_equal(image_from_array(np.eye(3), "YX").data.compute(), np.eye(3))


@pytest.mark.parametrize("field", ["axes", "scale", "units", "translate"])
def test_what_does_not_fit_the_array_is_refused(field):
    parts = {"axes": "YX", "scale": (1.0, 1.0), "units": (None, None), "translate": (0.0, 0.0)}
    with pytest.raises(ValueError, match=field):
        Image(levels=(da.ones((2, 2)),), **{**parts, field: parts[field][:1]})


@pytest.mark.parametrize(
    ("axes", "shape", "rgb"), [("YXS", (4, 4, 3), True), ("YXS", (4, 4, 2), False), ("CYX", (3, 4, 4), False)]
)
def test_colour(axes, shape, rgb):
    assert image_from_array(np.zeros(shape), axes).rgb is rgb
