"""Models are found, checked, and refused where they do not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_bioseg.core import BrokenModelError, ModelNotFoundError, RecipeError, image_from_array
from napari_bioseg.models import Card, find_model, list_models, load_model, refusal
from napari_bioseg.models.model import write_model
from napari_bioseg.models.registry import build_network


def test_a_written_model_comes_back(zoo: Path) -> None:
    model = load_model("tiny")
    assert model.card.sha256
    assert not model.network.training
    again = load_model(zoo / "tiny")
    for a, b in zip(model.network.state_dict().values(), again.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_the_users_models_are_listed_with_the_shipped_ones(zoo: Path) -> None:
    assert "tiny" in [card.name for card in list_models()]


def test_a_broken_card_hides_only_its_own_model(zoo: Path) -> None:
    (zoo / "broken").mkdir()
    (zoo / "broken" / "card.yaml").write_text("name: [", encoding="utf-8")
    assert "tiny" in [card.name for card in list_models()]
    with pytest.raises(BrokenModelError, match=r"card\.yaml"):
        load_model("broken")


def test_an_unknown_model_names_the_known_ones(zoo: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="tiny"):
        load_model("huge")


@pytest.mark.parametrize("name", ["inner/../tiny", "../outside"])
def test_a_name_does_not_lead_out_of_the_zoo(zoo: Path, name: str) -> None:
    (zoo / "inner").mkdir()
    shutil.copytree(zoo / "tiny", zoo.parent / "outside")
    assert (zoo / name / "card.yaml").is_file()
    with pytest.raises(ModelNotFoundError):
        find_model(name)


def test_a_listed_name_is_one_that_finds_the_model(zoo: Path) -> None:
    (zoo / "tiny").rename(zoo / "renamed")
    names = [card.name for card in list_models()]
    assert "tiny" not in names
    assert find_model(names[names.index("renamed")]) == zoo / "renamed"


def test_changed_weights_are_noticed(zoo: Path) -> None:
    weights = zoo / "tiny" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(BrokenModelError, match="sha256"):
        load_model("tiny")


def test_weights_of_another_architecture_are_noticed(zoo: Path) -> None:
    text = (zoo / "tiny" / "card.yaml").read_text(encoding="utf-8")
    (zoo / "tiny" / "card.yaml").write_text(text.replace("- 4\n", "- 6\n"), encoding="utf-8")
    with pytest.raises(BrokenModelError, match="does not fit its card"):
        load_model("tiny")


def test_wrong_arguments_of_an_architecture_are_one_line() -> None:
    with pytest.raises(RecipeError, match=r"unet.*depth"):
        build_network("unet", {"depth": 3})


def test_missing_weights_are_noticed(zoo: Path) -> None:
    (zoo / "tiny" / "weights.safetensors").unlink()
    with pytest.raises(BrokenModelError, match="is missing"):
        load_model("tiny")


def test_a_failed_write_leaves_the_old_model(zoo: Path, card: Card) -> None:
    class Broken(torch.nn.Module):
        def state_dict(self, *args: object, **kwargs: object) -> dict[str, torch.Tensor]:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_model(zoo / "tiny", card, Broken(), "")
    assert load_model("tiny").card.name == "tiny"
    assert [p.name for p in zoo.iterdir()] == ["tiny"]


@pytest.mark.parametrize(
    ("axes", "shape", "dtype", "reason"),
    [
        ("YX", (8, 8), "u1", "no Z axis"),
        ("ZYX", (1, 8, 8), "u1", "single plane"),
        ("ZYX", (4, 8, 8), "c8", "complex"),
        ("ZYX", (4, 0, 8), "u1", "empty"),
        ("ZYX", (4, 8, 8), "u2", None),
    ],
)
def test_refusals_say_why(card: Card, axes: str, shape: tuple[int, ...], dtype: str, reason: str | None) -> None:
    card = card.model_copy(update={"input": card.input.model_copy(update={"axes": "ZYX"})})
    said = refusal(card, image_from_array(np.zeros(shape, dtype), axes))
    assert said is None if reason is None else reason in str(said)
