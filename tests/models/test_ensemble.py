"""Several networks as one model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from napari_bioseg.core import RecipeError
from napari_bioseg.models import load_model
from napari_bioseg.models.card import ArchitectureSpec, Card
from napari_bioseg.models.ensemble import Ensemble, join, members_of
from napari_bioseg.models.model import write_model
from napari_bioseg.models.network import Network
from napari_bioseg.models.registry import build_network


def _part(seed: int, **arguments: Any) -> tuple[ArchitectureSpec, Network]:
    torch.manual_seed(seed)
    spec = ArchitectureSpec(name="unet", arguments={"dims": 2, "widths": [2, 4], **arguments})
    return spec, build_network(spec.name, spec.arguments).eval()


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_its_probability_is_the_mean(activation: str) -> None:
    parts = [_part(0, out_channels=3), _part(1, out_channels=3, widths=[2, 2, 4])]
    _, ensemble = join(parts, activation)
    # Far from 0, where probabilities are 0 or 1 to float32, logits must stay finite.
    x = torch.randn(2, 1, 8, 8) * torch.tensor([1.0, 300.0]).view(2, 1, 1, 1)

    def p(network: Network) -> torch.Tensor:
        return network(x).softmax(1) if activation == "softmax" else network(x).sigmoid()

    with torch.inference_mode():
        alone = [p(network) for _, network in parts]
        assert (alone[0] - alone[1]).abs().max() > 0.05
        assert torch.allclose(p(ensemble), (alone[0] + alone[1]) / 2, atol=1e-6)
        assert ensemble(x).isfinite().all()
        assert ensemble.features(x).shape == (2, 4, 4, 4)
        assert torch.equal(ensemble.halfway(x)[1](), ensemble(x))


def test_its_tiles_suit_all_members() -> None:
    strides = [[[2, 3], [2, 1]], [[1, 2], [3, 1]]]
    _, ensemble = join([_part(0, widths=[2, 2, 2], strides=s) for s in strides], "sigmoid")
    assert isinstance(ensemble, Ensemble)
    halos = [network.halo for network in ensemble.networks]
    assert ensemble.stride == (12, 6)
    assert halos[0][0] != halos[1][0]
    assert halos[0][1] != halos[1][1]
    assert ensemble.halo == tuple(max(h) for h in zip(*halos, strict=True))


def test_it_is_a_model_like_any_other(card: Card, zoo: Path) -> None:
    spec, ensemble = join([_part(0), _part(1)], "sigmoid")
    write_model(zoo / "both", card.model_copy(update={"name": "both", "architecture": spec}), ensemble, "# both\n")
    model = load_model("both")
    x = torch.randn(1, 1, 8, 8)
    assert torch.equal(model.network(x), ensemble(x))
    first, second = members_of(model)
    assert (first.card.name, second.card.name) == ("both-1", "both-2")
    assert torch.equal(second.network(x), _part(1)[1](x))
    assert second.card.architecture == _part(1)[0]
    (alone,) = members_of(load_model("tiny"))
    assert alone.card.name == "tiny"


def test_ensembles_are_joined_by_their_members() -> None:
    single = join([_part(0)], "sigmoid")
    assert not isinstance(single[1], Ensemble)
    _, both = join([join([_part(0), _part(1)], "sigmoid"), join([_part(2), _part(3)], "sigmoid")], "sigmoid")
    assert isinstance(both, Ensemble)
    x = torch.randn(1, 1, 8, 8)
    for i, network in enumerate(both.networks):
        assert torch.equal(network(x), _part(i)[1](x))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"members": []}, "one at least"),
        ({"members": [{"name": "unet"}, {"name": "unet", "arguments": {"dims": 3}}]}, "must all be 2-D or all 3-D"),
        ({"members": [{"name": "unit"}]}, "unit"),
        ({"members": [{"arguments": {}}]}, "member of an ensemble: name"),
        ({"members": [{"name": "unet"}], "activation": "tanh"}, "tanh"),
    ],
)
def test_wrong_members_are_told(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        build_network("ensemble", arguments)
    assert "\n" not in str(caught.value)
