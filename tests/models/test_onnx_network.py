"""ONNX files as networks: what they give, and which are refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from napari_bioseg.core import BrokenModelError, RecipeError
from napari_bioseg.core.errors import MissingDependencyError
from napari_bioseg.models.onnx_network import OnnxNetwork
from napari_bioseg.models.registry import build_network

MakeOnnx = Callable[..., Path]


def loaded(file: Path, dims: int = 2) -> OnnxNetwork:
    network = OnnxNetwork(halo=[2] * dims, stride=[1] * dims)
    network.load(file)
    return network


def test_it_gives_what_the_file_says(make_onnx: MakeOnnx) -> None:
    network = loaded(make_onnx(channels=(1, 2)))
    grey = np.zeros((1, 1, 9, 11), np.float32)
    grey[0, 0, 4, 5] = 1
    given = network.run(grey)
    kernel = onnx.numpy_helper.to_array(onnx.load(make_onnx(channels=(1, 2))).graph.initializer[0])
    np.testing.assert_allclose(given[0, :, 2:7, 3:8], kernel[:, 0, ::-1, ::-1], atol=1e-6)
    with pytest.raises(ValueError, match="nvalid"):
        network.run(grey[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": (3, 1)}, "takes 3 channels at once"),
        ({"sides": (64, 64)}, "takes images of 64 x 64 pixels only"),
        ({"sides": ("y", 64)}, "takes images of y x 64 pixels only"),
        ({"sides": ("z", "y", "x")}, "as its card says"),
        ({"after": "Unheard"}, "cannot be run by onnxruntime"),
    ],
)
def test_what_the_engine_cannot_use_is_refused(make_onnx: MakeOnnx, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BrokenModelError, match=said):
        loaded(make_onnx(**changes))


def test_no_other_file_is_read(make_onnx: MakeOnnx, tmp_path: Path) -> None:
    model = onnx.load(make_onnx())
    (tensor,) = model.graph.initializer
    onnx.external_data_helper.set_external_data(tensor, "../secret")
    tensor.ClearField("raw_data")
    (tmp_path / "outside.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BrokenModelError, match="keeps its weights in another file"):
        loaded(tmp_path / "outside.onnx")


def test_junk_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(BrokenModelError, match=r"junk\.onnx: is no ONNX file"):
        loaded(tmp_path / "junk.onnx")


def test_the_extra_is_named_where_it_is_not_installed(make_onnx: MakeOnnx, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_onnx()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'napari-bioseg\[onnx\]'"):
        loaded(file)


@pytest.mark.parametrize("wrong", [{"halo": [1]}, {"halo": [1, 1], "stride": [0, 1]}, {"halo": 3, "stride": [1, 1]}])
def test_halo_and_stride_must_be_numbers_that_can_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="architecture 'onnx': cannot be built"):
        build_network("onnx", {"stride": [1], **wrong})


def test_without_its_file_it_is_an_architecture_that_cannot_be_trained() -> None:
    with pytest.raises(RecipeError, match="cannot be trained"):
        OnnxNetwork(halo=[1, 1], stride=[1, 1]).run(np.zeros((1, 1, 4, 4), np.float32))


def test_it_is_no_member_of_an_ensemble() -> None:
    member = {"name": "onnx", "arguments": {"halo": [1, 1], "stride": [1, 1]}}
    with pytest.raises(ValueError, match="cannot be a member"):
        build_network("ensemble", {"members": [member]})
