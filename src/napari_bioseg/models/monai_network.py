"""Networks of MONAI by their names. An extra: ``pip install napari-bioseg[monai]``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

from napari_bioseg.core.errors import MissingDependencyError, RecipeError
from napari_bioseg.models.network import Network
from napari_bioseg.models.reach import Reach, measure, runner_of
from napari_bioseg.models.registry import ARCHITECTURES

NETS = ("AttentionUnet", "BasicUNet", "DynUNet", "SegResNet", "SwinUNETR", "UNet")
"""Classes of ``monai.networks.nets`` that give one value a pixel and class; no other name is looked up."""

_AXES_ALONE = {"BasicUNet": 1, "DynUNet": 1, "SegResNet": 2, "UNet": 1}  # the fewest axes that one of them can see
_STEPS = ("kernel_size", "up_kernel_size", "upsample_kernel_size", "strides")
_OF_THE_TILE = (_InstanceNorm, nn.GroupNorm)


@ARCHITECTURES.register("monai")
class MonaiNetwork(Network):
    """A network of MONAI (Cardoso et al. 2022, arXiv:2211.02701).

    Parameters
    ----------
    halo, stride : sequence of int, optional
        As of `Network`; none: measured on first use.
    exact : bool
        With a halo: whether tiles were seen to give what the whole image gives.
    **arguments
        ``class``, one of `NETS`, and what it takes.
    """

    def __init__(
        self,
        *,
        halo: Sequence[int] | None = None,
        stride: Sequence[int] | None = None,
        exact: bool = False,
        **arguments: Any,
    ) -> None:
        super().__init__()
        self.net = _build(arguments)
        if (halo is None) != (stride is None):
            raise ValueError("halo and stride are given together, or not at all")
        self._key = json.dumps(arguments, sort_keys=True)
        self._told = Reach(tuple(halo), tuple(stride)) if halo is not None and stride is not None else None
        self.exact = exact or self._told is None
        if self._told is None:
            self._check_measurable(arguments["class"])

    @property
    def stride(self) -> tuple[int, ...]:
        """As the card says, or as measured."""
        return (self._told or _measured(self._key)).stride

    @property
    def halo(self) -> tuple[int, ...]:
        """As the card says, or as measured."""
        return (self._told or _measured(self._key)).halo

    def _check_measurable(self, name: str) -> None:
        """Refuse what has no reach that tiles could have, unless it is told."""
        problem, fix = "", "Give halo and stride among its arguments, to take it nevertheless"
        if any(isinstance(layer, _OF_THE_TILE) for layer in self.net.modules()):
            problem = "normalises over the image (instance or group), so that tiles differ from the whole"
            fix = f"Give it batch normalisation (norm or norm_name: batch) where it has the choice. {fix}"
        elif name not in _AXES_ALONE:
            problem = "looks through windows that lie otherwise in each tile"
        if problem:
            raise RecipeError(f"architecture 'monai', class {name}", problem, fix)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``(N, K, *space)``."""
        logits: Tensor = self.net(x)
        return logits


def _build(arguments: dict[str, Any]) -> nn.Module:
    name = arguments.get("class")
    if name not in NETS:
        raise RecipeError(f"class {name!r} of MONAI", "is not known here", f"Choose one of: {', '.join(NETS)}")
    if arguments.get("deep_supervision"):
        raise RecipeError(f"class {name!r} of MONAI", "gives several outputs", "Set deep_supervision to false")
    try:
        from monai.networks import nets

        # This one looks at figures of its own while it is built, which are not there where nothing is allocated.
        with torch.device("cpu") if name == "SwinUNETR" else nullcontext():
            made: nn.Module = getattr(nets, name)(**{key: arguments[key] for key in arguments if key != "class"})
    except ImportError as error:
        problem = f"is not installed, or not with what {name} needs"
        raise MissingDependencyError("MONAI", problem, "pip install 'napari-bioseg[monai]'") from error
    return made


@cache
def _measured(key: str) -> Reach:
    """Measure a network, whose weights do not matter. RecipeError: it has no reach that tiles could have."""
    arguments = json.loads(key)
    name, dims = arguments["class"], int(arguments.get("spatial_dims", 3))
    # What is drawn for its weights is not to change what a training draws.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        try:
            nets = [_build(_along(arguments, axis)).eval() for axis in range(dims)]
            lines = [measure(runner_of(net), _AXES_ALONE[name]) for net in nets]
        except ValueError as error:
            fix = "Give halo and stride among its arguments, to take it nevertheless"
            raise RecipeError(f"architecture 'monai', class {name}", str(error), fix) from error
    return Reach(tuple(line.halo[0] for line in lines), tuple(line.stride[0] for line in lines))


def _along(arguments: dict[str, Any], axis: int) -> dict[str, Any]:
    """Return the arguments of a network that sees one axis as the whole one does, which is tried much faster."""
    levels = _STEPS if arguments["class"] == "DynUNet" else ("strides",)
    given = {key: arguments[key] for key in _STEPS if key in arguments}
    changed = {
        key: [_of_axis(one, axis) for one in value] if key in levels else _of_axis(value, axis)
        for key, value in given.items()
    }
    return arguments | changed | {"spatial_dims": _AXES_ALONE[arguments["class"]]}


def _of_axis(value: Any, axis: int) -> Any:
    return value[axis] if isinstance(value, list) else value
