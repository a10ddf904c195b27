"""What a training takes over from the model that it continues, and leaves as it is for a while."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.models.zoo import load_model
from napari_bioseg.training.recipe import Recipe


def old_model(recipe: Recipe) -> Model | None:
    """Return the model that a recipe continues from; None where it begins with random weights.

    Raises
    ------
    ModelNotFoundError, BrokenModelError
        It is gone.
    """
    return load_model(recipe.continue_from) if recipe.continue_from else None


def take_weights(recipe: Recipe, network: Network, start: Model) -> None:
    """Give a new network the weights of a model: all of them, or with a new head all but those of the head.

    Raises
    ------
    RecipeError
        The architectures differ, or the network has no encoder or no head of its own where the recipe needs it.
    """
    architecture = f"architecture {recipe.architecture.name!r}"
    if recipe.freeze_encoder and not network.encoder_name:
        raise RecipeError(architecture, "has no encoder that could be frozen", "Set freeze_encoder to 0")
    weights = start.network.state_dict()
    if recipe.head == "new":
        if not network.head_name:
            raise RecipeError(architecture, "has no head that could be replaced", "Set head to keep")
        weights, wanted = (_trunk(state, network.head_name) for state in (weights, network.state_dict()))
        if {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in wanted.items()}:
            problem = f"differs from {recipe.name} in more than its head"
            raise RecipeError(str(recipe.continue_from), problem, "Leave out architecture but for its out_channels")
    elif start.card.architecture != recipe.architecture:
        problem, fix = f"has another architecture than {recipe.name}", "Give the recipe that of the model's card"
        raise RecipeError(str(recipe.continue_from), problem, f"{fix}, or head: new where only the classes differ")
    network.load_state_dict(weights, strict=recipe.head == "keep")


def mixed_with_old(recipe: Recipe, network: Network, start: Model | None) -> Network:
    """Return a network halfway back to the model that it continues from, as far as `recipe.old_weights` says.

    The weights of both are averaged (WiSE-FT: Wortsman et al. 2022, arXiv:2109.01903): along the way between a model
    and what it was fine-tuned to, much is gained of the new before much is lost of the old.
    """
    if start is None or not recipe.old_weights:
        return network
    old, mixed = start.network.state_dict(), copy.deepcopy(network)
    for name, value in mixed.state_dict().items():
        if value.is_floating_point():
            value.lerp_(old[name].to(value), recipe.old_weights)
    return mixed


def set_learning(recipe: Recipe, network: Network, epoch: int) -> None:
    """Bring a network to training mode for the epoch after `epoch`; what is frozen keeps its statistics, too."""
    network.train()
    if recipe.freeze_encoder:
        frozen = epoch < recipe.freeze_encoder
        encoder = network.get_submodule(network.encoder_name)
        encoder.requires_grad_(not frozen)
        encoder.train(not frozen)
    if recipe.keep_statistics:
        for layer in network.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.eval()


def _trunk(weights: dict[str, Tensor], head: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in weights.items() if not name.startswith(f"{head}.")}
