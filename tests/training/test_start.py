"""What a training takes over from the model that it continues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_bioseg.core import RecipeError
from napari_bioseg.models import load_model
from napari_bioseg.runs import Run
from napari_bioseg.training.check import check_recipe
from napari_bioseg.training.loop import first_network, fit
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.start import old_model

MakeRecipe = Callable[..., Recipe]
TWO = {"classes": [{"value": 1, "name": "blob"}, {"value": 2, "name": "other"}], "label_values": {0: 0, 255: 2}}


def _unet(**arguments: Any) -> dict[str, Any]:
    return {"name": "unet", "arguments": {"dims": 2, "widths": [4, 8], "dropout": 0.1, **arguments}}


def _differing(network: torch.nn.Module, start: Path) -> set[str]:
    before = load_model(start).network.state_dict()
    return {k for k, v in network.state_dict().items() if v.shape != before[k].shape or not torch.equal(v, before[k])}


def test_a_new_head_is_all_that_is_new(make_recipe: MakeRecipe, start: Path) -> None:
    changes = {"continue_from": str(start), "head": "new", **TWO}
    recipe = make_recipe(**changes, architecture=_unet(out_channels=2))
    check_recipe(recipe)
    assert _differing(first_network(recipe, old_model(recipe)), start) == {"head.weight", "head.bias"}
    # Also where the shapes are the same.
    same = make_recipe(continue_from=str(start), head="new")
    torch.manual_seed(1)
    assert _differing(first_network(same, old_model(same)), start) == {"head.weight", "head.bias"}
    with pytest.raises(RecipeError, match="Set out_channels to 2"):
        check_recipe(make_recipe(**changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architecture": _unet(widths=[4, 6]), "head": "new"}, "start: differs from blobs in more than its head"),
        ({"architecture": _unet(out_channels=2)}, "start: has another architecture than blobs.*or head: new"),
        ({"continue_from": None, "head": "new"}, "head: new needs continue_from"),
        ({"continue_from": None, "freeze_encoder": 1}, "freeze_encoder needs continue_from"),
    ],
)
def test_what_cannot_be_taken_over_is_told(
    make_recipe: MakeRecipe, start: Path, changes: dict[str, Any], said: str
) -> None:
    def build() -> None:
        recipe = make_recipe(**{"continue_from": str(start), **changes})
        first_network(recipe, old_model(recipe))

    with pytest.raises(RecipeError, match=said):
        build()


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"freeze_encoder": 1}, "no encoder that could be"), ({"head": "new"}, "no head that could be")],
)
def test_a_network_without_such_parts_is_told(
    make_recipe: MakeRecipe, start: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    for name in ("encoder_name", "head_name"):
        monkeypatch.setattr(f"napari_bioseg.models.unet.UNet.{name}", "")
    with pytest.raises(RecipeError, match=said):
        first_network(make_recipe(continue_from=str(start), **changes), load_model(start))


@pytest.mark.parametrize("task", ["semantic", "detection"])
def test_a_frozen_encoder_stays_as_it_is(
    start: Path, tmp_path: Path, request: pytest.FixtureRequest, task: str
) -> None:
    changes = {"continue_from": str(start), "steps": 2, "learning_rate": 0.01, "weight_decay": 0.5, "averaging": 0}
    if task == "detection":
        # A detector on the trunk of a model of pixels: all but its head fits.
        changes |= {"head": "new", "architecture": {"name": "yolo", "arguments": {"widths": [4, 8]}}}
    make = request.getfixturevalue("make_recipe" if task == "semantic" else "make_box_recipe")
    changes["pairs"] = [p.model_dump() for p in make().pairs if p.use == "train"]
    before = load_model(start).network.state_dict()
    for epochs in (1, 2):
        network = fit(make(**changes, freeze_encoder=1, epochs=epochs), Run(tmp_path / f"run-{epochs}"))
        trunk = {k: v for k, v in network.state_dict().items() if not k.startswith("head.")}
        moved = {k for k in trunk if not torch.equal(trunk[k], before[k])}
        encoder = {k for k in trunk if k.startswith("encoder.")}
        # Neither weights nor the statistics of batch normalisation, until it learns with the rest.
        assert moved & encoder == (encoder if epochs == 2 else set())
        assert trunk.keys() - encoder <= moved
