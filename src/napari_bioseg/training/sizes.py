"""Patch and batch sizes picked from memory."""

from __future__ import annotations

import copy
from math import prod
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from napari_bioseg.models.card import InputSpec
from napari_bioseg.models.devices import choose_device, free_memory
from napari_bioseg.models.network import Network
from napari_bioseg.models.registry import build_network
from napari_bioseg.training.recipe import Recipe

_EDGE = {2: 256, 3: 96}  # pixels in the plane
_DEPTH = 32  # planes, where the pixel size does not tell how far apart they are
_LEAST_BATCH = 2  # batch normalisation needs more than one
_MOST_BATCH = {2: 4, 3: 2}
_GPU_BATCHES = 4  # times as many: there, more patches at once take hardly more time
_SHARE = {"cuda": 0.5}  # of the free memory
_OTHER_SHARE = 0.25  # the images are in the same memory, and other programs
_WORK = 2.0  # times what is kept for going back: 1.3 measured on the CPU; losses and a teacher come on top
_WEIGHT_BYTES = 4 * 5  # weight, gradient, two moments of AdamW, moving average


def pick_sizes(recipe: Recipe, *, patch: bool, batch: bool) -> dict[str, Any]:
    """Return the fields `patch` and `batch`, of which those asked for are picked.

    A training keeps the activations of all layers until it goes back through them, so memory grows with the pixels in
    a batch: how many bytes a pixel takes is measured on a small input (`kept_bytes`). Of the memory that is free now,
    half on a GPU and else a quarter is taken. The patch comes first, since a network learns from what lies around a
    pixel: it is as large as two of it fit, up to 256 x 256 pixels, in 3-D 96 x 96 and as deep as it is wide by the
    pixel size (32 planes without one). Then as many patches as fit, up to 4, in 3-D 2; on a GPU four times as many.

    What is picked depends on the moment; a run stores it, and goes on with it.

    Parameters
    ----------
    recipe : Recipe
        What is not asked for is taken from it.
    patch, batch : bool
        Whether it is asked for.

    Raises
    ------
    RecipeError, DeviceError
        The network cannot be built, or the device is not here.
    """
    device = choose_device(recipe.device)
    network = build_network(recipe.architecture.name, recipe.architecture.arguments)
    weights = _WEIGHT_BYTES * sum(w.numel() for w in network.parameters())
    budget = _SHARE.get(device, _OTHER_SHARE) * free_memory(device) - weights
    pixels = int(budget / (_WORK * kept_bytes(network)))
    sides = _sides(network.stride, recipe.input, pixels // (_LEAST_BATCH if batch else recipe.batch))
    sides = sides if patch else recipe.patch
    most = _MOST_BATCH[len(sides)] * (_GPU_BATCHES if device == "cuda" else 1)
    fitting = max(_LEAST_BATCH, min(most, pixels // prod(sides)))
    return {"patch": sides, "batch": fitting if batch else recipe.batch}


def kept_bytes(network: Network) -> float:
    """Return how many bytes the network keeps for going back, for each pixel of the input, by trying a small one."""
    trial = copy.deepcopy(network).cpu().float().train()
    # Weights are kept whatever the size of the input.
    kept = {w.data_ptr(): 0 for w in trial.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    x = torch.zeros(2, 1, *(2 * step for step in trial.stride))
    with saved_tensors_hooks(keep, nn.Identity()):
        trial(x)
    return max(sum(kept.values()), 1) / x.numel()


def _sides(stride: tuple[int, ...], spec: InputSpec, pixels: int) -> tuple[int, ...]:
    """Return the sides of the largest patch, multiples of `stride`, of which one has no more than `pixels`."""
    edge = _EDGE[len(stride)]
    wanted = [edge] * len(stride)
    if len(stride) == 3:
        size = spec.pixel_size
        wanted[0] = round(edge * size["Y"] / size["Z"]) if {"Y", "Z"} <= size.keys() else _DEPTH
    sides = [max(step, side // step * step) for side, step in zip(wanted, stride, strict=True)]
    while prod(sides) > pixels and any(side > step for side, step in zip(sides, stride, strict=True)):
        i = max(range(len(sides)), key=lambda axis: sides[axis] - stride[axis])
        sides[i] -= stride[i]
    return tuple(sides)
