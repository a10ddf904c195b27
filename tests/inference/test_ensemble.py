"""An ensemble does not depend on the tile size, though its members pool and look differently far."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_bioseg.core.image import image_from_array
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.models.card import ArchitectureSpec
from napari_bioseg.models.ensemble import join
from napari_bioseg.models.model import Model

MakeModel = Callable[..., Model]


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_tiles_are_the_whole(make_model: MakeModel, activation: str, backend: str) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino")
    classes = {"classes": 2, "activation": activation, "widths": (3, 4)}
    members = [make_model(**classes).network, make_model(**classes, strides=[[3, 3]]).network]
    given = {"out_channels": 2 + (activation == "softmax"), "widths": (3, 4)}
    specs = [ArchitectureSpec(name="unet", arguments={**given, **more}) for more in ({}, {"strides": [[3, 3]]})]
    model = make_model(**classes, network=join(list(zip(specs, members, strict=True)), activation)[1])
    assert model.stride == (6, 6)
    image = image_from_array(np.random.default_rng(0).integers(0, 255, (41, 37), np.uint8), "YX")
    whole, tiled = (
        np.asarray(predict(image, model, PredictOptions(tile=tile, backend=backend)).probabilities).astype(np.float32)
        for tile in (None, 16)
    )
    assert whole.std() > 0.05
    np.testing.assert_allclose(tiled, whole, atol=1e-3)
