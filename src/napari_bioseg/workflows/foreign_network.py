"""The network of a model that came from elsewhere, with its weights, and what tiles of it must keep to."""

from __future__ import annotations

from typing import Any

import torch
from safetensors.torch import load_file

from napari_bioseg.core.errors import BrokenModelError, RecipeError
from napari_bioseg.core.job import Job
from napari_bioseg.models.card import ONNX, ArchitectureSpec
from napari_bioseg.models.monai_network import MonaiNetwork
from napari_bioseg.models.network import Network
from napari_bioseg.models.onnx_network import OnnxNetwork
from napari_bioseg.models.rdf import Foreign
from napari_bioseg.models.reach import Reach, Run, measure, runner_of, tile_error
from napari_bioseg.models.registry import build_network

_TRIES = 3  # images by which the reach of an ONNX file is found
_EXACT = 1e-3  # difference of a tile from the whole, in standard deviations, up to which it is the same


def load_network(found: Foreign, spec: ArchitectureSpec, dims: int, job: Job) -> tuple[ArchitectureSpec, Network]:
    """Return the network, and its architecture with halo and stride, where they are not known from its class.

    Parameters
    ----------
    found : Foreign
    spec : ArchitectureSpec
        As its card tells it.
    dims : int
        Axes that it sees.
    job : Job
        Told what was measured.

    Raises
    ------
    BrokenModelError
        The weights are damaged or of another network, or tiles of it would not fit together.
    RecipeError
        No network can be built by this architecture.
    MissingDependencyError
        A package is needed for this network.
    """
    return _onnx(found, spec, dims, job) if spec.name == ONNX else _torch(found, spec, job)


def _onnx(found: Foreign, spec: ArchitectureSpec, dims: int, job: Job) -> tuple[ArchitectureSpec, Network]:
    network = OnnxNetwork(halo=(0,) * dims, stride=(1,) * dims)
    try:
        network.load(found.weights)
    except BrokenModelError as error:
        # Of what came, not of a file that the user never sees.
        raise BrokenModelError(str(found.source), error.problem, error.fix) from error
    if spec.arguments:
        told = build_network(ONNX, spec.arguments)
        reach = Reach(told.halo, told.stride)
        exact = _checked(found, network.run, reach, job)
    else:
        reach, exact = _measured(found, network.run, dims, job)
    arguments = {"halo": list(reach.halo), "stride": list(reach.stride), "exact": exact}
    return ArchitectureSpec(name=ONNX, arguments=arguments), network.with_reach(reach.halo, reach.stride, exact)


def _measured(found: Foreign, run: Run, dims: int, job: Job) -> tuple[Reach, bool]:
    try:
        reach = measure(run, dims, _TRIES)
    except ValueError as error:
        if found.halo is None or found.stride is None:
            fix = "Give halo and stride among architecture.arguments in a card (--card)"
            raise BrokenModelError(str(found.source), str(error), fix) from error
        job.note(f"{found.source.name} {error}; halo {list(found.halo)} is taken, as it says")
        return Reach(found.halo, found.stride), False
    _tell(reach, job)
    return reach, True


def _tell(reach: Reach, job: Job) -> None:
    job.note(f"halo {list(reach.halo)} and stride {list(reach.stride)} were measured")


def _checked(found: Foreign, run: Run, reach: Reach, job: Job) -> bool:
    """Return whether tiles give what the whole gives."""
    try:
        error = tile_error(run, reach.halo, reach.stride)
    except ValueError as problem:
        fix = "Check halo and stride on its card"
        raise BrokenModelError(str(found.source), f"cannot be run in tiles ({problem})", fix) from problem
    if error > _EXACT:
        job.note(f"with halo {list(reach.halo)} tiles differ from the whole by {error:.3g} standard deviations")
    return error <= _EXACT


def _torch(found: Foreign, spec: ArchitectureSpec, job: Job) -> tuple[ArchitectureSpec, Network]:
    """Return a network with the weights of a state dict."""
    spec = _buildable(found, spec, job)
    network = build_network(spec.name, spec.arguments).eval()
    state = _state(found)
    if isinstance(network, MonaiNetwork) and not any(key.startswith("net.") for key in state):
        state = {f"net.{key}": value for key, value in state.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        problem = f"its weights are not those of its architecture ({' '.join(str(error).split())[:160]}…)"
        raise BrokenModelError(str(found.source), problem, "Check the arguments of the architecture") from error
    return _with_reach(found, spec, network, job), network


def _buildable(found: Foreign, spec: ArchitectureSpec, job: Job) -> ArchitectureSpec:
    """Return an architecture with the halo that a package tells, where none can be measured."""
    if spec.name != "monai" or found.halo is None or found.stride is None:
        return spec
    try:
        build_network(spec.name, spec.arguments)
    except RecipeError as error:
        told = {"halo": list(found.halo), "stride": list(found.stride), "exact": False}
        known = ArchitectureSpec(name=spec.name, arguments={**spec.arguments, **told})
        build_network(known.name, known.arguments)  # what else is wrong with it is told here
        job.note(f"{error.subject} {error.problem}; halo {told['halo']} is taken, as the package says")
        return known
    return spec


def _with_reach(found: Foreign, spec: ArchitectureSpec, network: Network, job: Job) -> ArchitectureSpec:
    if not isinstance(network, MonaiNetwork) or "exact" in spec.arguments:
        return spec
    reach, exact = Reach(network.halo, network.stride), True
    if "halo" in spec.arguments:
        exact = _checked(found, runner_of(network), reach, job)
    else:
        _tell(reach, job)
    network.exact = exact
    known: dict[str, Any] = {"halo": list(reach.halo), "stride": list(reach.stride), "exact": exact}
    return ArchitectureSpec(name=spec.name, arguments={**spec.arguments, **known})


def _state(found: Foreign) -> dict[str, torch.Tensor]:
    """Return the tensors of a file, which is read without running anything in it."""
    fix = "Ask for a plain state dict, or for an ONNX file"
    try:
        state: Any = _read(found)
    except Exception as error:
        problem = "its weights are damaged, or more than numbers: code in a pickle, which is not run"
        raise BrokenModelError(str(found.source), problem, fix) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BrokenModelError(str(found.source), "its weights are no state dict", fix)
    return state


def _read(found: Foreign) -> Any:
    if found.weights.suffix == ".safetensors":
        return load_file(found.weights)
    return torch.load(found.weights, map_location="cpu", weights_only=True)
