"""Which patches a step learns from: the step alone decides them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import Tensor

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.training.augment import draw_patch
from napari_bioseg.training.box_patches import draw_box_patch
from napari_bioseg.training.recipe import Augmentation, Recipe
from napari_bioseg.training.sample import Sample


def draw_batch(recipe: Recipe, samples: list[Sample], step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return images ``(N, 1, *patch)``, targets and weights ``(N, *patch)`` of one step, which alone decides them.

    Targets are ``(N, *patch)`` classes, or for boxes the ``(N, 6, *patch)`` of `tasks.detection.encode`. A weight says
    how much a pixel counts.
    """
    patches = []
    for i in range(recipe.batch):
        generator = torch.Generator().manual_seed((recipe.seed * 1_000_003 + step) * 1009 + i)
        choice = torch.rand(4, generator=generator).tolist()
        sample = _pick(recipe, _pool(recipe, samples, choice[0], choice[3]), choice[1])
        foreground = choice[2] < recipe.foreground_share
        wanted = (sample, recipe.patch, _augmentation(recipe, sample), foreground, generator)
        if isinstance(sample.target, Boxes):
            patches.append((*draw_box_patch(*wanted), torch.ones(recipe.patch)))
        else:
            patches.append(draw_patch(*wanted, balanced=recipe.foreground_draw == "classes"))
    images, targets, weights = zip(*patches, strict=True)
    return torch.stack(images), torch.stack(targets), torch.stack(weights)


def _pool(recipe: Recipe, samples: list[Sample], made_or_real: float, old_or_new: float) -> list[Sample]:
    """Return the samples of one kind, which two numbers from 0 to 1 choose: replayed, simulated or real."""
    old = [s for s in samples if s.use == "replay"]
    if old and old_or_new < recipe.replay_share:
        return old
    new = [s for s in samples if s.use != "replay"]
    makers = {spec.group for spec in recipe.simulated}
    real = [s for s in new if s.group not in makers]
    made = [s for s in new if s.group in makers]
    return made if made and (not real or made_or_real < recipe.simulated_share) else real


def _pick(recipe: Recipe, pool: list[Sample], share: float) -> Sample:
    """Return the sample at `share` (0 to 1) of the way through the pool."""
    if recipe.draw == "kinds":
        weights = _even(pool, len(recipe.classes))
    else:
        weights = [len(s.image) if recipe.draw == "planes" else 1 for s in pool]
    return pool[int(np.searchsorted(np.cumsum(weights), share * sum(weights), side="right"))]


def _augmentation(recipe: Recipe, sample: Sample) -> Augmentation:
    """Return how a sample is augmented: what is none of the known kinds may be changed more than they."""
    options = recipe.other_augmentation
    if recipe.task != "classification" or options is None:
        return recipe.augmentation
    return options if sample.labels.flat[0] == len(recipe.classes) else recipe.augmentation


def _even(pool: list[Sample], last: int) -> list[float]:
    """Return weights that make kinds equal, in each kind its groups, and in each of these its samples.

    The `last` kind, which is what is none of the others, is as frequent as all of them: it is the most various.
    """
    keys = [(int(s.labels.flat[0]), s.group) for s in pool]
    samples, groups = Counter(keys), Counter(kind for kind, _ in set(keys))
    share = {last: max(1, len(groups.keys() - {last}))}
    return [share.get(kind, 1) / (groups[kind] * samples[kind, group]) for kind, group in keys]
