"""Weights of 16 bits in the file, 32 in the network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from napari_bioseg.core import RecipeError
from napari_bioseg.models import load_model, read_card
from napari_bioseg.models.card import Card
from napari_bioseg.models.model import read_model, rounded, write_model

MODELS = Path(__file__).resolve().parents[2] / "models"


def _card(name: str) -> Card:
    return read_card(MODELS / name).model_copy(update={"stored_as": "float16"})


def _state(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights.safetensors")


def test_a_model_in_16_bits_is_half_as_large_and_computes_in_32(tmp_path: Path) -> None:
    model = load_model("membranes-unet2d")
    write_model(tmp_path / "half", _card("membranes-unet2d"), model.network, "")
    small, large = ((folder / "weights.safetensors").stat().st_size for folder in (tmp_path / "half", model.folder))
    assert small < 0.51 * large
    state = read_model(tmp_path / "half").network.state_dict()
    assert {v.dtype for v in state.values() if v.is_floating_point()} == {torch.float32}
    for name, value in model.network.state_dict().items():
        # Norms keep all digits, kernels 11 bits; below the least normal number of float16 there are fewer.
        digits = {"rtol": 2**-11, "atol": 2**-25} if value.ndim > 1 else {"rtol": 0, "atol": 0}
        torch.testing.assert_close(state[name], value, **digits)


def test_a_rounded_network_is_the_one_that_its_file_gives(tmp_path: Path) -> None:
    network = rounded(load_model("cdv-yolo").network, "float16")
    write_model(tmp_path / "half", _card("cdv-yolo"), network, "")
    read = read_model(tmp_path / "half").network
    for name, value in network.state_dict().items():
        assert torch.equal(read.state_dict()[name], value), name


def test_written_again_it_has_the_same_weights(tmp_path: Path) -> None:
    write_model(tmp_path / "one", _card("cdv-yolo"), load_model("cdv-yolo").network, "")
    once = read_model(tmp_path / "one")
    write_model(tmp_path / "two", once.card, once.network, "")
    assert _state(tmp_path / "one").keys() == _state(tmp_path / "two").keys()
    assert all(torch.equal(value, _state(tmp_path / "two")[name]) for name, value in _state(tmp_path / "one").items())


def test_a_weight_too_large_for_16_bits_is_told(tmp_path: Path) -> None:
    network = load_model("cdv-yolo").network
    name, kernel = next((n, p) for n, p in network.named_parameters() if p.ndim > 1)
    with torch.no_grad():
        kernel[0] = 1e5
    with pytest.raises(RecipeError, match=f"stored_as: weights of {name} are too large"):
        write_model(tmp_path / "half", _card("cdv-yolo"), network, "")
    assert not (tmp_path / "half").exists()
