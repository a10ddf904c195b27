"""ONNX files behind the tiled engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_bioseg.core.errors import DeviceError
from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.inference.onnx_engine import OnnxEngine
from napari_bioseg.inference.tiles import Span
from napari_bioseg.models.card import ArchitectureSpec
from napari_bioseg.models.model import Model
from napari_bioseg.models.onnx_network import OnnxNetwork

GREY = np.random.default_rng(0).integers(0, 255, (70, 90), np.uint8)


@pytest.fixture
def model(make_model: Any, make_onnx: Callable[..., Path]) -> Model:
    network = OnnxNetwork(halo=(2, 2), stride=(1, 1), exact=True)
    network.load(make_onnx())
    made = make_model(network=network)
    return Model(made.card.model_copy(update={"architecture": ArchitectureSpec(name="onnx")}), network)


def test_tiles_give_what_the_whole_gives(model: Model) -> None:
    image = image_from_array(GREY, "YX", name="noise")
    whole, tiled = (predict(image, model, PredictOptions(tile=tile)) for tile in (256, 16))
    np.testing.assert_allclose(np.asarray(tiled.probabilities[:]), np.asarray(whole.probabilities[:]), atol=1e-3)
    assert np.asarray(whole.probabilities[:]).std() > 0.1
    assert tiled.provenance["engine"] == "onnxruntime on cpu"
    assert tiled.provenance["notes"] == []


def test_what_is_not_exact_or_not_float32_is_told(model: Model) -> None:
    model.network.exact = False
    job = Job()
    predict(image_from_array(GREY, "YX", name="noise"), model, PredictOptions(precision="bfloat16"), job=job)
    assert [note.split(":")[0] for note in job.notes] == [
        "tiny looks at more than its halo",
        "onnxruntime computes in float32",
    ]


def test_a_network_that_gives_probabilities_is_left_so(make_onnx: Callable[..., Path]) -> None:
    network = OnnxNetwork(halo=(2, 2), stride=(1, 1))
    network.load(make_onnx(after="Sigmoid"))
    tile = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    given = OnnxEngine(network, "cpu", "none")(tile, [Span(2, 5), Span(0, 16)])
    np.testing.assert_allclose(given, network.run(tile[None, None])[0, :, 2:5])


def test_what_fails_is_told(model: Model) -> None:
    engine = OnnxEngine(model.network, "cuda", "sigmoid")
    assert engine.device == "cpu"
    with pytest.raises(DeviceError, match="onnxruntime: failed on a tile"):
        engine(np.zeros((4, 4, 4), np.float32), [Span(0, 4)] * 3)
