"""Several networks as one: their mean probability (Lakshminarayanan et al., NeurIPS 2017, arXiv:1612.01474)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_bioseg.models.card import ArchitectureSpec
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.models.registry import ARCHITECTURES, build_network


@ARCHITECTURES.register("ensemble")
class Ensemble(Network):
    """Networks that see the same image and give the same channels; tiles are cut so that all of them are exact.

    Parameters
    ----------
    members : sequence of mapping
        Of each, the ``name`` of its architecture and its ``arguments``.
    activation : str
        What makes probabilities of the members' logits: ``"sigmoid"`` or ``"softmax"``, as on the card.
    """

    def __init__(
        self, *, members: Sequence[Mapping[str, Any]], activation: Literal["sigmoid", "softmax"] = "sigmoid"
    ) -> None:
        super().__init__()
        self.specs = tuple(ArchitectureSpec.checked(dict(m), "member of an ensemble") for m in members)
        self.members = nn.ModuleList(build_network(spec.name, spec.arguments) for spec in self.specs)
        if activation not in ("sigmoid", "softmax"):
            raise ValueError(f"activation {activation!r} is neither sigmoid nor softmax")
        if len({len(network.stride) for network in self.networks}) != 1:
            raise ValueError("members must all be 2-D or all 3-D, and one at least")
        if any(not list(network.parameters()) for network in self.networks):
            raise ValueError("a file with a network in it, as ONNX is, cannot be a member")
        self._softmax = activation == "softmax"

    @property
    def networks(self) -> list[Network]:
        """The members."""
        return [member for member in self.members if isinstance(member, Network)]

    @property
    def exact(self) -> bool:  # type: ignore[override]
        """Whether all members are."""
        return all(network.exact for network in self.networks)

    @property
    def stride(self) -> tuple[int, ...]:
        """The least common multiple of the members' strides, along each axis."""
        return tuple(math.lcm(*steps) for steps in zip(*(m.stride for m in self.networks), strict=True))

    @property
    def halo(self) -> tuple[int, ...]:
        """The farthest reach of a member, along each axis."""
        return tuple(max(reach) for reach in zip(*(m.halo for m in self.networks), strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return the float32 logits ``(N, K, *space)`` of the mean of the members' probabilities."""
        return self._mean([network(x) for network in self.networks])

    def _mean(self, every: Sequence[Tensor]) -> Tensor:
        logits = torch.stack([member.float() for member in every])
        # The number of members falls out in the difference, and in the softmax of what is returned.
        if self._softmax:
            return logits.log_softmax(2).logsumexp(0)
        return functional.logsigmoid(logits).logsumexp(0) - functional.logsigmoid(-logits).logsumexp(0)

    def halfway(self, x: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
        """Return the features of the first member, those of others may have other sides, and what runs the rest."""
        first, *others = self.networks
        features, finish = first.halfway(x)
        return features, lambda: self._mean([finish(), *(network(x) for network in others)])


def join(parts: Sequence[tuple[ArchitectureSpec, Network]], activation: str) -> tuple[ArchitectureSpec, Network]:
    """Return trained networks as one, in eval mode; a single one as it is, and members of ensembles as members."""
    if len(parts) == 1:
        return parts[0]
    flat = [pair for spec, network in parts for pair in _taken_apart(spec, network)]
    arguments = {"members": [spec.model_dump(mode="json") for spec, _ in flat], "activation": activation}
    ensemble = build_network("ensemble", arguments)
    state = {f"members.{i}.{k}": v for i, (_, network) in enumerate(flat) for k, v in network.state_dict().items()}
    ensemble.load_state_dict(state)
    return ArchitectureSpec(name="ensemble", arguments=arguments), ensemble.eval()


def members_of(model: Model) -> list[Model]:
    """Return the members of an ensemble as models of their own; any other model alone."""
    parts = _taken_apart(model.card.architecture, model.network)
    if len(parts) == 1:
        return [model]
    return [
        replace(
            model,
            card=model.card.model_copy(update={"name": f"{model.card.name}-{i}", "architecture": spec}),
            network=network,
            folder=None,
        )
        for i, (spec, network) in enumerate(parts, start=1)
    ]


def _taken_apart(spec: ArchitectureSpec, network: Network) -> list[tuple[ArchitectureSpec, Network]]:
    if isinstance(network, Ensemble):
        return list(zip(network.specs, network.networks, strict=True))
    return [(spec, network)]
