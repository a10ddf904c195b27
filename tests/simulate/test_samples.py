from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.simulate import SAMPLES, sample


@pytest.mark.parametrize(
    ("name", "axes", "shape", "pixel_size"),
    [
        ("membranes", "ZYX", (8, 256, 256), (0.05, 0.004, 0.004)),
        ("vessels", "ZYX", (24, 256, 256), (5.0, 1.0, 1.0)),
        ("cells", "YX", (400, 512), (1.2, 1.2)),
    ],
)
def test_sample(name, axes, shape, pixel_size):
    image = sample(name)
    (truth,) = image.labels
    assert image.axes == truth.axes == axes
    assert image.shape == truth.shape == shape
    assert image.pixel_size() == truth.pixel_size() == pixel_size
    assert image.dtype == np.uint8
    assert truth.dtype == np.uint32
    assert 0.02 < (truth.data.compute() > 0).mean() < 0.95
    assert np.array_equal(image.data.compute(), sample(name).data.compute())


def test_names():
    assert {sample(name).name for name in SAMPLES} == set(SAMPLES)
    with pytest.raises(LookupError, match="membranes, vessels, cells"):
        sample("nonsense")
