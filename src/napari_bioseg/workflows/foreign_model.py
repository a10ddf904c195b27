"""A network of others with a card of ours, and whether it gives what it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from napari_bioseg.core.errors import BrokenModelError, RecipeError
from napari_bioseg.core.job import Job
from napari_bioseg.inference.engine import activated
from napari_bioseg.models.card import ONNX, ArchitectureSpec, Card, InputSpec
from napari_bioseg.models.model import Model
from napari_bioseg.models.monai_network import MonaiNetwork
from napari_bioseg.models.network import Network
from napari_bioseg.models.onnx_network import OnnxNetwork
from napari_bioseg.models.rdf import Foreign
from napari_bioseg.models.reach import Reach, Run, measure, runner_of, tile_error
from napari_bioseg.models.registry import build_network
from napari_bioseg.tasks import TASKS

_TRIES = 3  # images by which the reach of an ONNX file is found
_EXACT = 1e-3  # difference of a tile from the whole, in standard deviations, up to which it is the same
_CLOSE = 1e-3  # absolute, and in parts of the value
_OUTLIERS = 1e-4  # share of pixels that may differ by more
_FIX = "Give halo and stride among architecture.arguments in a card (--card)"


def build(found: Foreign, values: dict[str, Any], job: Job) -> Model:
    """Return a model with a whole card.

    Parameters
    ----------
    found : Foreign
    values : dict
        Of its card, as far as they are known; what can be seen of the network is added.
    job : Job
        Told what was measured.

    Raises
    ------
    BrokenModelError
        Weights and card do not belong together, or tiles of this network would not fit together.
    RecipeError
        The card is wrong.
    MissingDependencyError
        A package is needed for this network.
    """
    spec = ArchitectureSpec.checked(values.get("architecture", {}), f"{found.source}: architecture")
    axes = InputSpec.checked(values.get("input", {}), f"{found.source}: input").axes
    spec, network = _onnx(found, spec, len(axes), job) if spec.name == ONNX else _trained(found, spec, job)
    channels = _channels(found, network, len(axes))
    card = Card.checked({**values, "architecture": spec.model_dump(), **_output(found, values, channels)}, "card")
    _check_channels(found, card, channels)
    return Model(card, network.eval())


def check_example(found: Foreign, model: Model) -> None:
    """Compare what a model gives with what it says that it gives, where it says so.

    Raises
    ------
    BrokenModelError
        They differ; the line says by how much.
    """
    if found.example is None:
        return
    grey, wanted = (_array(found, path) for path in found.example)
    given = _run(found, model, grey)
    if given.shape != wanted.shape:
        problem = f"gives an array of {given.shape} for its own test image, and says {wanted.shape}"
        raise BrokenModelError(str(found.source), problem, "Ask its author")
    error = np.abs(given - wanted)
    if float((error > _CLOSE + _CLOSE * np.abs(wanted)).mean()) > _OUTLIERS:
        problem = f"differs by up to {error.max():.3g} from what it says that it gives for its own test image"
        raise BrokenModelError(str(found.source), problem, "It cannot be used as it is described; ask its author")


def _onnx(found: Foreign, spec: ArchitectureSpec, dims: int, job: Job) -> tuple[ArchitectureSpec, Network]:
    network = OnnxNetwork(halo=(0,) * dims, stride=(1,) * dims)
    network.load(found.weights)
    told = dict(spec.arguments)
    if not told:
        reach, exact = _measured(found, network.run, dims, job)
    elif set(told) >= {"halo", "stride"}:
        OnnxNetwork(**{**told, "exact": False})  # whether they are numbers that can be
        reach = Reach(tuple(told["halo"]), tuple(told["stride"]))
        exact = _checked(found, network.run, reach, job)
    else:
        raise RecipeError(
            f"{found.source}: architecture.arguments", "tell one of halo and stride", "Give both, or none"
        )
    arguments = {"halo": list(reach.halo), "stride": list(reach.stride), "exact": exact}
    final = OnnxNetwork(**arguments)
    final.load(found.weights)
    return ArchitectureSpec(name=ONNX, arguments=arguments), final


def _measured(found: Foreign, run: Run, dims: int, job: Job) -> tuple[Reach, bool]:
    try:
        reach = measure(run, dims, _TRIES)
    except ValueError as error:
        if found.halo is None or found.stride is None:
            raise BrokenModelError(str(found.source), str(error), _FIX) from error
        job.note(f"{found.source.name} {error}; halo {list(found.halo)} is taken, as it says")
        return Reach(found.halo, found.stride), False
    job.note(f"halo {list(reach.halo)} and stride {list(reach.stride)} were measured")
    return reach, True


def _checked(found: Foreign, run: Run, reach: Reach, job: Job) -> bool:
    try:
        error = tile_error(run, reach.halo, reach.stride)
    except ValueError as problem:
        fix = "Check halo and stride on its card"
        raise BrokenModelError(str(found.source), f"cannot be run in tiles ({problem})", fix) from problem
    if error > _EXACT:
        job.note(f"with halo {list(reach.halo)} tiles differ from the whole by {error:.3g} standard deviations")
    return error <= _EXACT


def _trained(found: Foreign, spec: ArchitectureSpec, job: Job) -> tuple[ArchitectureSpec, Network]:
    """Return a network with weights of a state dict, and its architecture with what was measured."""
    spec = _measurable(found, spec, job)
    network = build_network(spec.name, spec.arguments).eval()
    state = _state(found)
    if isinstance(network, MonaiNetwork) and not any(key.startswith("net.") for key in state):
        state = {f"net.{key}": value for key, value in state.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        problem = f"its weights are not those of its architecture ({' '.join(str(error).split())[:160]}…)"
        raise BrokenModelError(str(found.source), problem, "Check the arguments of the architecture") from error
    if spec.name != "monai" or "exact" in spec.arguments:
        return spec, network
    if "halo" in spec.arguments:
        exact = _checked(found, runner_of(network), Reach(network.halo, network.stride), job)
    else:
        exact = True
        job.note(f"halo {list(network.halo)} and stride {list(network.stride)} were measured")
    known = {"halo": list(network.halo), "stride": list(network.stride), "exact": exact}
    return ArchitectureSpec(name=spec.name, arguments={**spec.arguments, **known}), network


def _measurable(found: Foreign, spec: ArchitectureSpec, job: Job) -> ArchitectureSpec:
    """Return an architecture with the halo that a package tells, where none can be measured."""
    if spec.name != "monai" or found.halo is None or found.stride is None:
        return spec
    try:
        build_network(spec.name, spec.arguments)
    except RecipeError as error:
        told = {"halo": list(found.halo), "stride": list(found.stride), "exact": False}
        known = ArchitectureSpec(name=spec.name, arguments={**spec.arguments, **told})
        build_network(known.name, known.arguments)  # if it is not for the halo, it is told here
        job.note(f"{error.problem}; halo {told['halo']} is taken, as the package says")
        return known
    return spec


def _state(found: Foreign) -> dict[str, torch.Tensor]:
    """Return the tensors of a file, which is read without running anything in it."""
    fix = "Ask for a plain state dict, or for an ONNX file"
    try:
        if found.weights.suffix == ".safetensors":
            state = load_file(found.weights)
        else:
            state = torch.load(found.weights, map_location="cpu", weights_only=True)
    except Exception as error:
        problem = "its weights are damaged, or more than numbers: code in a pickle, which is not run"
        raise BrokenModelError(str(found.source), problem, fix) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BrokenModelError(str(found.source), "its weights are no state dict", fix)
    return state


def _channels(found: Foreign, network: Network, dims: int) -> int:
    if len(network.stride) != dims:
        problem = f"has a network of {len(network.stride)} axes; its card says {dims}"
        raise BrokenModelError(str(found.source), problem, "Check input.axes and the arguments of the architecture")
    try:
        with torch.inference_mode():
            given = network(torch.zeros(1, 1, *(2 * step for step in network.stride)))
    except (RuntimeError, ValueError) as error:
        problem = f"cannot take an image of one channel ({str(error).splitlines()[0][:160]})"
        raise BrokenModelError(str(found.source), problem, "Choose a model of one channel") from error
    return int(given.shape[1])


def _output(found: Foreign, values: dict[str, Any], channels: int) -> dict[str, Any]:
    """Return output and classes, with what the package's test image shows where the card does not tell."""
    output = dict(values.get("output") or {})
    if "activation" not in output:
        output |= _applied(found)
    classes, names = {}, values.get("classes")
    if not names or isinstance(names[0], str):
        names = list(names or [f"class {i}" for i in range(channels)])
        first = 1 if output["activation"] == "softmax" and len(names) == channels else 0
        classes["classes"] = [{"value": i, "name": name} for i, name in enumerate(names[first:], start=1)]
        if first:
            classes["background"] = names[0]
    return {"output": output, **classes}


def _applied(found: Foreign) -> dict[str, Any]:
    """Return the activation that an ONNX file applies itself, by what it gives for its own test image."""
    shown = _array(found, found.example[1]) if found.example else np.full(1, -1.0)
    if shown.min() < 0 or shown.max() > 1 or found.weights.suffix != ".onnx":
        problem = (
            f"gives values from {shown.min():.3g} to {shown.max():.3g}" if found.example else "tells no activation"
        )
        fix = "Say in a card (--card) which activation its output needs: output.activation"
        raise BrokenModelError(str(found.source), f"{problem}: no probabilities", fix)
    exclusive = shown.shape[1] > 1 and bool(np.allclose(shown.sum(axis=1), 1, atol=1e-3))
    return {"activation": "softmax" if exclusive else "sigmoid", "applied": True}


def _check_channels(found: Foreign, card: Card, channels: int) -> None:
    output, values = card.output, tuple(c.value for c in card.classes)
    wanted = TASKS.get(card.task).channels(values, output.activation, output.cores > 0)
    if channels != wanted:
        problem = f"gives {channels} channels; {len(values)} classes with {output.activation} need {wanted}"
        raise BrokenModelError(str(found.source), problem, "Name its classes in a card (--card)")


def _array(found: Foreign, path: Path) -> npt.NDArray[np.float32]:
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise BrokenModelError(
            f"{found.source}: a test tensor", "is no array of numbers", "Ask for it again"
        ) from error


def _run(found: Foreign, model: Model, grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return probabilities ``(N, K, *space)`` of ``(N, 1, *space)``: the network run over the whole."""
    how = model.card.input.normalisation
    axis = (0, 1, 2) if how.scope == "plane" and model.axes == "ZYX" else (0, 1)
    if grey.ndim != 2 + len(model.axes) or grey.shape[1] != 1:
        problem = f"has a test image of {grey.shape}, not of one channel along {model.axes}"
        raise BrokenModelError(str(found.source), problem, "Choose a model of one channel")
    scaled = np.empty_like(grey)
    for index in np.ndindex(*(grey.shape[a] for a in axis)):
        scaled[index] = how.apply(grey[index])
    try:
        with torch.inference_mode():
            logits = model.network(torch.from_numpy(scaled))
    except (RuntimeError, ValueError) as error:
        problem = f"fails on its own test image ({str(error).splitlines()[0][:160]})"
        raise BrokenModelError(str(found.source), problem, "Ask its author") from error
    return np.stack([activated(one, model.card.output.to_apply).numpy() for one in logits])
