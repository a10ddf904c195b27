"""A loss of outlines."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from napari_bioseg.tasks.losses import LOSSES, Batch, weighted_mean


@LOSSES.register("boundary")
def boundary(batch: Batch) -> Tensor:
    """Mean over the known pixels, weighted, of the probability times the distance from the true outline.

    The distance is negative inside (Kervadec et al., MIDL 2019, arXiv:1812.07032), so that the loss can be below 0. It
    moves outlines, but does not find objects: add it to a loss of regions with a small weight, as 0.01, since it is in
    pixels. See `outline_distance` for what is not known.
    """
    p, _ = batch.foreground
    truth = batch.truth[:, 1:] if batch.softmax else batch.truth
    return weighted_mean(p * outline_distance(truth, batch.weight > 0), batch.weight)


def outline_distance(truth: Tensor, known: Tensor) -> Tensor:
    """Return how far each pixel lies from the outline of the truth, negative inside.

    It is the distance to the nearest known pixel of the other kind, less the half pixel by which the outline lies
    before its centre: exact where the truth is known all around, too far where a nearer one is not known. It is in
    pixels along all axes alike, also where planes are further apart, and computed on the CPU.

    Parameters
    ----------
    truth : Tensor
        ``(N, K, *space)``, 1 inside.
    known : Tensor
        ``(N, 1, *space)``, bool.

    Returns
    -------
    Tensor
        Of the shape, type and device of `truth`; 0 where the truth is not known, and for a patch and class in which no
        outline is.
    """
    inside, seen = (truth > 0.5).cpu().numpy(), known.expand(truth.shape).cpu().numpy()
    distance = np.zeros(truth.shape, np.float32)
    for i in np.ndindex(*truth.shape[:2]):
        sides = inside[i] & seen[i], ~inside[i] & seen[i]
        if all(side.any() for side in sides):
            for side, other, sign in ((*sides, -1), (*sides[::-1], 1)):
                distance[i][side] = sign * (ndimage.distance_transform_edt(~other)[side] - 0.5)
    return torch.from_numpy(distance).to(truth)
