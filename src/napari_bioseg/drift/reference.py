"""From the figures of training images to a `Profile` with thresholds that hold for images of unseen groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from napari_bioseg.drift.distances import SCALARS, bands, distances
from napari_bioseg.drift.figures import Figures
from napari_bioseg.drift.profile import Profile, Spread
from napari_bioseg.drift.sketch import covariance, sketch

FALSE_ALARMS = 0.05
_LEAST = 4  # images of a kind: fewer tell no spread
_BLOCKS = 4  # into which the images of a single group are cut
_MARGIN = 1.75  # by which thresholds of a single group are raised: its blocks are more alike than groups are
_APART = 3  # groups below which bands are taken to vary on their own: one group left out, what is left is a single one
_SIGMAS = 3.0
_FLOOR_APART = 2.5  # of the spectrum, where its bands are taken to vary on their own
_POOR = 0.1  # of the score below the usual one: to warn of such an image is no false alarm
_FLOOR = {
    "kl": 0.1, "cross_entropy": 0.3, "psi": 0.15, "js": 0.03, "saturation": 2.0, "levels": 2.0,
    "features": 1.2, "spectrum": 1.2,
}  # fmt: skip
"""Thresholds are at least that high, those of single figures at least `_SIGMAS`: what varies less does not matter."""

Floats = npt.NDArray[np.float64]


class Known(NamedTuple):
    """Figures of one image or plane that was trained on.

    Attributes
    ----------
    group : str
    figures : Figures
    kind : str
        Where such images come from: kinds are told apart.
    score : float
        Of the model on it, the more the better; 1 where nothing is known of it.
    """

    group: str
    figures: Figures
    kind: str = ""
    score: float = 1.0


def make_profile(known: Sequence[Known], objects: Mapping[str, float] | None = None) -> Profile:
    """Return the profile of training images, with thresholds.

    Each group is left out once, and its images are compared with the rest, as images of an unseen group will be. The
    largest ratio of any of an image's distances to its scale is its score, and the threshold of that is chosen by split
    conformal prediction (Vovk et al. 2005; Laxhammar 2014): so the rate of false alarms holds for all distances
    together, as far as new groups are like those left out. The images of a single group are left out in blocks, and its
    thresholds are raised by `_MARGIN`. Images on which the model is poor by itself set no thresholds.

    Each kind of images has a profile of its own: one of all would be so wide that what lies between them fits it.

    Parameters
    ----------
    known : sequence of Known
        In their order in the stack; at least two.
    objects : Mapping, optional
        Statistics of the labels, see `Profile`.
    """
    first, *others = (_of_kind(kind) for kind in _kinds(known))
    return first.model_copy(update={"objects": dict(objects or {}), "others": tuple(others)})


def _kinds(known: Sequence[Known]) -> list[list[Known]]:
    """Return the images of each kind, most images first; all as one where kinds are hardly more than groups."""
    kinds = [[k for k in known if k.kind == name] for name in dict.fromkeys(k.kind for k in known)]
    if 2 * len(kinds) > len({k.group for k in known}) or min(map(len, kinds)) < _LEAST:
        return [list(known)]
    return sorted(kinds, key=len, reverse=True)


def _of_kind(known: Sequence[Known]) -> Profile:
    groups, count = _groups(known), len({k.group for k in known})
    single, apart = count == 1, count < _APART
    names = list(dict.fromkeys(groups))
    usual = float(np.median([k.score for k in known])) - _POOR
    rows = []
    for name in names:
        rest = _summary([k.figures for k, g in zip(known, groups, strict=True) if g != name], apart=apart)
        left_out = [k for k, g in zip(known, groups, strict=True) if g == name]
        rows += [distances(k.figures, rest) for k in left_out if k.score >= usual]
    profile = _summary([k.figures for k in known], apart=apart)
    thresholds = _thresholds(rows, single=single, apart=apart)
    return profile.model_copy(update={"groups": count, "thresholds": thresholds})


def _groups(known: Sequence[Known]) -> list[str]:
    names = [k.group for k in known]
    if len(set(names)) > 1:
        return names
    return [f"block {i * min(_BLOCKS, len(known)) // len(known)}" for i in range(len(known))]


def _summary(figures: Sequence[Figures], *, apart: bool) -> Profile:
    spectra, features, output = (np.stack([getattr(f, n) for f in figures]) for n in ("spectrum", "features", "output"))
    mean, sd = features.mean(0), features.std(0)
    scalars = {name: np.array([getattr(f, name) for f in figures]) for name in SCALARS}
    profile = Profile(
        images=len(figures),
        groups=1,
        false_alarms=FALSE_ALARMS,
        histogram=tuple(np.mean([f.histogram for f in figures], axis=0)),
        spectrum=tuple(spectra.mean(0)),
        spectrum_sd=tuple(spectra.std(0)),
        features=tuple(mean),
        features_sd=tuple(sd),
        features_covariance=_triangle(covariance(sketch(features, mean, sd))),
        figures={name: Spread(mean=float(v.mean()), sd=float(v.std())) for name, v in scalars.items()},
        output=tuple(output.mean(0)),
        output_sd=tuple(output.std(0)),
        thresholds={},
    )
    if apart:  # how bands vary together, one stack tells too little of
        return profile
    return profile.model_copy(update={"spectrum_covariance": _triangle(covariance(bands(spectra, profile)))})


def _triangle(matrix: Floats) -> tuple[float, ...]:
    return tuple(matrix[np.tril_indices(len(matrix))])


def _thresholds(rows: Sequence[Mapping[str, float]], *, single: bool, apart: bool) -> dict[str, float]:
    names = list(rows[0])
    table = np.array([[row[name] for name in names] for row in rows])
    floor = {**_FLOOR, "spectrum": _FLOOR_APART if apart else _FLOOR["spectrum"]}
    least = np.array([floor.get(name, _SIGMAS) for name in names])
    # Of fewer images than the rate asks for, the largest of each distance.
    rank = min(ceil((1 - FALSE_ALARMS) * (len(rows) + 1)), len(rows)) - 1
    scale = np.maximum(np.sort(table, axis=0)[rank] * (_MARGIN if single else 1.0), least)
    limit = max(1.0, float(np.sort((table / scale).max(axis=1))[rank]))
    return {name: float(limit * s) for name, s in zip(names, scale, strict=True)}
