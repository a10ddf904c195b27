"""A network of others with a card of ours, and whether it gives what it should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_bioseg.core.errors import BrokenModelError
from napari_bioseg.core.job import Job
from napari_bioseg.inference.engine import activated
from napari_bioseg.models.card import ArchitectureSpec, Card, InputSpec
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.models.rdf import Foreign
from napari_bioseg.tasks import TASKS
from napari_bioseg.workflows.foreign_network import load_network

_CLOSE = 1e-3  # absolute, and in parts of the value
_OUTLIERS = 1e-4  # share of pixels that may differ by more


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
    spec, network = load_network(found, spec, len(axes), job)
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
    problem, shown = "does not tell its activation", None
    if found.example is not None:
        shown = _array(found, found.example[1])
        problem = f"gives values from {shown.min():.3g} to {shown.max():.3g}, which are no probabilities"
    if shown is None or shown.min() < 0 or shown.max() > 1 or found.weights.suffix != ".onnx":
        fix = "Say in a card (--card) which activation its output needs: output.activation"
        raise BrokenModelError(str(found.source), problem, fix)
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
        subject = f"{found.source}: a test tensor"
        raise BrokenModelError(subject, "is no array of numbers", "Ask for the package again") from error


def _run(found: Foreign, model: Model, grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return probabilities ``(N, K, *space)`` of ``(N, 1, *space)``: the network run over the whole."""
    how = model.card.input.normalisation
    if grey.ndim != 2 + len(model.axes) or grey.shape[1] != 1:
        problem = f"has a test image of {grey.shape}, not of one channel along {model.axes}"
        raise BrokenModelError(str(found.source), problem, "Choose a model of one channel")
    scaled = np.stack([how.apply_to_sample(one) for one in grey[:, 0]])[:, None]
    try:
        with torch.inference_mode():
            logits = model.network(torch.from_numpy(scaled))
    except (RuntimeError, ValueError) as error:
        problem = f"fails on its own test image ({str(error).splitlines()[0][:160]})"
        raise BrokenModelError(str(found.source), problem, "Ask its author") from error
    return np.stack([activated(one, model.card.output.to_apply).numpy() for one in logits])
