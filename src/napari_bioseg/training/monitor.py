"""What can be watched during a training: the score on the held-out part, and two patches as they are segmented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.models.network import Network
from napari_bioseg.tasks import IGNORED, TASKS, Decision
from napari_bioseg.tasks.semantic import can_score
from napari_bioseg.training.pairs import load_samples
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.sample import Sample
from napari_bioseg.training.training_set import FrozenPair
from napari_bioseg.training.validate import predict_whole

PREVIEW = "preview.npz"
_PATCHES = 2
_EDGE = 192
_PLANES = 8
# What is watched must not cost more than it is worth, and is predicted untiled.
_LARGEST = {2: 1024, 3: 256}
_BESIDE = 16  # planes beside the known ones that a 3-D network sees


class Monitor:
    """Looks at a network after each epoch, on a part of what is held out; nothing is ever chosen by what it says.

    Parameters
    ----------
    recipe : Recipe
        Its frozen pairs that are held out are watched; where nothing is, patches of what is learnt from are shown.
    folder : Path
        Of the run.
    """

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self._recipe, self._folder = recipe, folder
        frozen = [p for p in recipe.pairs if isinstance(p, FrozenPair)]
        held_out = [p for p in frozen if p.use == "test"]
        self._held_out = bool(held_out)
        self._samples = [_small(s, len(recipe.patch)) for s in _load(recipe, held_out or frozen[:1])]

    def look(self, network: Network, epoch: int) -> float | None:
        """Write ``preview.npz``, and return the mean score on what of the held-out part can be scored, or None."""
        if not self._samples:
            return None
        maps = [predict_whole(self._recipe, network, s.image) for s in self._samples]
        self._write(maps, epoch)
        if not self._held_out:
            return None
        task, decision = TASKS.get(self._recipe.task), Decision(**self._recipe.output.decision)
        metric = self._recipe.metrics[0]
        scores = [
            task.score(metric, p, s.target, decision)
            for p, s in zip(maps, self._samples, strict=True)
            if isinstance(s.target, Boxes) or can_score(metric, s.target)
        ]
        return float(np.mean(scores)) if scores else None

    def _write(self, maps: Sequence[npt.NDArray[np.float32]], epoch: int) -> None:
        shown = [(s, z, p) for s, p in zip(self._samples, maps, strict=True) for z in _shown(s)]
        # Of a detector the first map says where centres are.
        boxes = self._recipe.task == "detection"
        softmax = self._recipe.output.activation == "softmax"
        parts = [
            _cut(s, z, 1 - p[0] if softmax else p[0] if boxes else p.max(axis=0), i)
            for i, (s, z, p) in enumerate((shown * _PATCHES)[:_PATCHES])
        ]
        edge = tuple(min(side) for side in zip(*(part[0].shape for part in parts), strict=True))
        image, target, probability = (
            np.stack([array[: edge[0], : edge[1]] for array in arrays]) for arrays in zip(*parts, strict=True)
        )
        with whole_or_nothing(self._folder / PREVIEW) as temporary:
            np.savez(
                temporary, image=image, target=target, probability=probability, epoch=epoch, held_out=self._held_out
            )


def _load(recipe: Recipe, pairs: Sequence[FrozenPair]) -> list[Sample]:
    if not pairs:
        return []
    uses = tuple({p.use for p in pairs})
    return load_samples(recipe.model_copy(update={"pairs": tuple(pairs), "simulated": ()}), uses)


def _small(sample: Sample, dims: int) -> Sample:
    """Return up to 8 known planes, or for a 3-D network the volume around them, cut in the plane where it is large."""
    known = _known_planes(sample)
    if isinstance(sample.target, Boxes):
        planes = _spread(known)
        kept = sample.target[np.isin(sample.target.z, planes)]
        return replace(sample, image=sample.image[planes], target=replace(kept, z=np.searchsorted(planes, kept.z)))
    if dims == 3:
        planes = np.arange(max(0, known[0] - _BESIDE), min(len(sample.image), known[-1] + _BESIDE + 1))
    else:
        planes = _spread(known)
    y, x = (_window(int(np.median(places)), n, _LARGEST[dims]) for places, n in _places(sample, planes))
    return replace(sample, image=sample.image[planes, y, x], target=sample.labels[planes, y, x], weight=None)


def _spread(planes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.take(planes, np.unique(np.linspace(0, len(planes) - 1, _PLANES).round().astype(int)))


def _places(sample: Sample, planes: npt.NDArray[np.int64]) -> list[tuple[npt.NDArray[np.int64], int]]:
    """Return where known pixels lie along Y and X, and how long these axes are."""
    y, x = np.nonzero(_known(sample)[planes].any(axis=0))
    return [(places, n) for places, n in zip((y, x), sample.labels.shape[1:], strict=True)]


def _known(sample: Sample) -> npt.NDArray[np.bool_]:
    """Return where the truth is known: in all of a frame whose boxes were checked."""
    if isinstance(sample.target, Boxes):
        return np.ones(sample.image.shape, np.bool_)
    known: npt.NDArray[np.bool_] = sample.labels != IGNORED
    return known


def _plane(sample: Sample, z: int) -> npt.NDArray[np.int16]:
    """Return the truth of a plane; boxes filled."""
    if not isinstance(sample.target, Boxes):
        return np.asarray(sample.labels[z])
    filled, boxes = np.zeros(sample.image.shape[1:], np.int16), sample.target[sample.target.z == z]
    for centre, size in zip(boxes.centre, boxes.size, strict=True):
        first, last = np.rint(centre - size / 2 + 0.5).astype(int), np.rint(centre + size / 2 + 0.5).astype(int)
        filled[slice(max(0, first[0]), last[0]), slice(max(0, first[1]), last[1])] = 1
    return filled


def _known_planes(sample: Sample) -> npt.NDArray[np.int64]:
    return np.flatnonzero(_known(sample).any(axis=(1, 2))).astype(np.int64)


def _shown(sample: Sample) -> npt.NDArray[np.int64]:
    """Return the planes of which patches are shown: the first and the last with a known pixel."""
    return np.unique(_known_planes(sample)[[0, -1]])


def _cut(
    sample: Sample, z: int, p: npt.NDArray[np.float32], number: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int16], npt.NDArray[np.float32]]:
    """Return image, target and probability ``(Z, Y, X)`` of the foreground in a patch of a plane with known pixels."""
    target = _plane(sample, z)
    y, x = np.nonzero(target != IGNORED)
    # Two patches of one plane are not the same one.
    share = (1 + number) / (_PATCHES + 1)
    middle = (np.quantile(y, share), np.quantile(x, share))
    window = tuple(_window(round(m), n, _EDGE) for m, n in zip(middle, target.shape, strict=True))
    return sample.image[z][window], target[window], p[z][window]


def _window(middle: int, n: int, edge: int) -> slice:
    start = max(0, min(middle - edge // 2, n - edge))
    return slice(start, min(n, start + edge))
