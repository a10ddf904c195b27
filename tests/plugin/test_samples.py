"""Samples open as an image and its hidden ground truth."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.plugin import samples

pytestmark = pytest.mark.gui


@pytest.mark.parametrize("name", ["membranes", "vessels", "cells"])
def test_sample(name):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    for data, attributes, kind in getattr(samples, name)():
        getattr(viewer, f"add_{kind}")(data, **attributes)
    image, truth = viewer.layers
    assert np.asarray(image.data).shape == truth.data.shape
    assert np.array_equal(image.scale, truth.scale)
    assert str(image.units[-1]) == "micrometer"
    assert image.visible
    assert not truth.visible
    assert truth.data.any()
