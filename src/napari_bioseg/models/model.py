"""`Model`: a card with its network, loaded from and saved to a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from napari_bioseg.core.errors import BiosegError, BrokenModelError, RecipeError
from napari_bioseg.core.files import file_sha256, whole_or_nothing
from napari_bioseg.models.card import CARD_FILE, README_FILE, Card, StoredAs, check_weights, read_card
from napari_bioseg.models.network import Network
from napari_bioseg.models.onnx_network import OnnxNetwork
from napari_bioseg.models.registry import build_network


@dataclass(frozen=True)
class Model:
    """A trained network and its card.

    Attributes
    ----------
    card : Card
    network : Network
        In eval mode, on the CPU, float32.
    folder : Path or None
        Where it was loaded from.
    """

    card: Card
    network: Network
    folder: Path | None = None

    @property
    def axes(self) -> str:
        """Axes that the network sees at once, ``"YX"`` or ``"ZYX"``."""
        return self.card.input.axes

    @property
    def halo(self) -> tuple[int, ...]:
        """Reach of the network along `axes`, in its own pixels."""
        return self.network.halo

    @property
    def stride(self) -> tuple[int, ...]:
        """Tiles start at multiples of this along `axes`."""
        return self.network.stride


def read_model(folder: Path) -> Model:
    """Load a model folder; the weights are safetensors or an ONNX file, so nothing is unpickled.

    Raises
    ------
    BrokenModelError
        Card or weights are missing, damaged, or do not belong together.
    MissingDependencyError
        Its network needs a package that is not installed.
    """
    card = read_card(folder)
    weights = check_weights(folder, card)
    try:
        network = build_network(card.architecture.name, card.architecture.arguments)
        if isinstance(network, OnnxNetwork):
            network.load(weights)
        else:
            network.load_state_dict(load_file(weights))
    except BiosegError:
        raise
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        problem = f"does not fit its card ({str(error).splitlines()[0]})"
        raise BrokenModelError(str(weights), problem, "Copy the model folder again") from error
    return Model(card, network.eval(), folder)


def write_model(folder: Path, card: Card, network: torch.nn.Module, readme: str) -> Card:
    """Write `card.yaml`, the weights and `README.md`; the folder appears complete or not at all.

    Returns
    -------
    Card
        The card with the sha256 of the weights.
    """
    with whole_or_nothing(folder) as part:
        part.mkdir()
        weights = part / card.weights_file
        if isinstance(network, OnnxNetwork):
            weights.write_bytes(network.data)
        else:
            save_file(_stored(network, card.stored_as), weights)
        # safetensors writes for the owner alone; a model is for everyone who may read the folder.
        weights.chmod(0o644)
        card = card.model_copy(update={"sha256": file_sha256(weights)})
        (part / CARD_FILE).write_text(card.to_yaml(), encoding="utf-8")
        (part / README_FILE).write_text(readme, encoding="utf-8")
    return card


def rounded(network: Network, stored_as: StoredAs) -> Network:
    """Round the weights of a network to what its file will hold, in place, and return it: what ships is scored.

    Raises
    ------
    RecipeError
        A weight is too large for float16.
    """
    network.load_state_dict(_stored(network, stored_as))
    return network


def _stored(network: torch.nn.Module, stored_as: StoredAs) -> dict[str, torch.Tensor]:
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    if stored_as == "float32":
        return state
    # Biases and statistics of norms are few, and a variance may be out of the range of 16 bits.
    halves = {k: v.half() for k, v in state.items() if v.is_floating_point() and v.ndim > 1}
    large = [k for k, v in halves.items() if not v.isfinite().all()]
    if large:
        raise RecipeError("stored_as", f"weights of {large[0]} are too large for float16", "Set stored_as: float32")
    return state | halves
