"""Score whole validation images with the weights of the moment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from napari_bioseg.models.network import Network
from napari_bioseg.tasks import TASKS, Decision
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.sample import Sample


def validate(recipe: Recipe, network: Network, samples: list[Sample]) -> float:
    """Return the mean of `recipe.select_on` over the samples."""
    task = TASKS.get(recipe.task)
    decision = Decision(**recipe.output.decision)
    scores = [
        task.score(recipe.select_on, predict_whole(recipe, network, s.image), s.target, decision) for s in samples
    ]
    return float(np.mean(scores))


@torch.inference_mode()
def predict_whole(recipe: Recipe, network: Network, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return probabilities ``(K, Z, Y, X)`` of a normalised ``(Z, Y, X)`` image, untiled.

    Good for choosing an epoch; reported scores come from the engine that users run.
    """
    device = next(network.parameters()).device
    stride = network.stride
    # A 2-D network sees planes one at a time, a 3-D network the volume at once.
    pieces = [image] if len(stride) == 3 else list(image)
    out = []
    for piece in pieces:
        pad = [(0, -n % s) for n, s in zip(piece.shape, stride, strict=True)]
        padded = np.pad(piece, pad, mode="symmetric")
        logits = network(torch.from_numpy(padded)[None, None].to(device))[0].float()
        p = logits.softmax(0) if recipe.output.activation == "softmax" else logits.sigmoid()
        out.append(p[(slice(None), *(slice(n) for n in piece.shape))].cpu().numpy())
    return out[0] if len(stride) == 3 else np.stack(out, axis=1)
