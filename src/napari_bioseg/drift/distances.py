"""How far an image is from what a model was trained on: one figure for each way in which it can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from napari_bioseg.drift.figures import Figures
from napari_bioseg.drift.profile import Profile
from napari_bioseg.drift.sketch import mahalanobis, sketch

SCALARS = ("noise", "contrast", "snr", "sharpness", "saturation", "levels")
"""Figures of one number."""

OUTPUT = ("found", "doubt", "outline")
"""Distances of what the network says, as `output.describe_output` orders it: the result suffers where they are far."""

TEXTURE = ("noise", "snr", "sharpness", "spectrum", "features")
"""Distances that noise, blur and pixels of another size change."""

DISTANCES = {
    "kl": "KL divergence of the grey values from the reference, bits",
    "cross_entropy": "cross-entropy of the grey values under the reference, bits above the reference's own entropy",
    "psi": "population stability index of the grey values",
    "js": "Jensen-Shannon divergence of the grey values, bits",
    "features": "Mahalanobis distance of the network's features, root mean square",
    "spectrum": "Mahalanobis distance of the spectrum, root mean square over its bands",
    "noise": "noise, standard deviations of the reference",
    "contrast": "contrast, standard deviations of the reference",
    "snr": "signal to noise, standard deviations of the reference",
    "sharpness": "sharpness, standard deviations of the reference",
    "saturation": "share of saturated pixels above the reference, in percent",
    "levels": "grey levels fewer than in the reference, octaves",
    "found": "share that the network finds, standard deviations of the reference, root mean square over the classes",
    "doubt": "how unsure the network is of it, standard deviations of the reference, root mean square over the classes",
    "outline": "length of its outlines, standard deviations of the reference, root mean square over the classes",
}
"""Name and meaning of each distance; all are 0 or more, and grow with the difference."""

_LEAST = 1e-3  # added to each share: an empty bin must not make a distance infinite
FLOOR = {"noise": 0.25, "contrast": 0.1, "snr": 0.25, "sharpness": 0.1, "spectrum": 0.25, "output": 0.1}
"""Spread in octaves that a reference has at least: a few planes of one stack look more alike than images do."""

Floats = npt.NDArray[np.float64]


def distances(figures: Figures, profile: Profile) -> dict[str, float]:
    """Return how far an image is from a reference, by the names of `DISTANCES`.

    Those of `OUTPUT` are left out where the network was not run to its end, or a reference of version 1 knows none.
    """
    p, q = _shares(figures.histogram), _shares(np.array(profile.histogram))
    middle = (p + q) / 2
    found = {
        "kl": _kl(p, q),
        "cross_entropy": max(0.0, float(((q - p) * np.log2(q)).sum())),
        "psi": float(((p - q) * np.log(p / q)).sum()),
        "js": (_kl(p, middle) + _kl(q, middle)) / 2,
        "features": of_features(figures.features, profile),
        "spectrum": mahalanobis(bands(figures.spectrum, profile), profile.spectrum_covariance),
    }
    for name in ("noise", "contrast", "snr", "sharpness"):
        found[name] = abs(deviation(figures, profile, name))
    found["saturation"] = 100 * max(0.0, figures.saturation - profile.figures["saturation"].mean)
    found["levels"] = max(0.0, profile.figures["levels"].mean - figures.levels)
    return found | of_output(figures.output, profile)


def of_features(features: Floats, profile: Profile) -> float:
    """Return how far mean features ``(F,)`` are from those of a reference."""
    return mahalanobis(sketch(features, profile.features, profile.features_sd), profile.features_covariance)


def of_output(output: Floats, profile: Profile) -> dict[str, float]:
    """Return the distances of `OUTPUT`; none where the output is empty, or a reference knows none."""
    if not profile.output or not output.size:
        return {}
    off = (output - np.array(profile.output)) / np.hypot(profile.output_sd, FLOOR["output"])
    return {name: float(np.sqrt((v**2).mean())) for name, v in zip(OUTPUT, np.split(off, 3), strict=True)}


def deviation(figures: Figures, profile: Profile, name: str) -> float:
    """Return by how many standard deviations a figure lies above (or below: negative) the reference's mean."""
    spread = profile.figures[name]
    return float((getattr(figures, name) - spread.mean) / np.hypot(spread.sd, FLOOR[name]))


def _shares(histogram: Floats) -> Floats:
    shares = histogram + _LEAST
    return np.asarray(shares / shares.sum())


def _kl(p: Floats, q: Floats) -> float:
    return float((p * np.log2(p / q)).sum())


def bands(spectrum: Floats, profile: Profile) -> Floats:
    """Return spectra ``(..., B)`` as standard deviations from the reference's mean."""
    return np.asarray((spectrum - np.array(profile.spectrum)) / np.hypot(profile.spectrum_sd, FLOOR["spectrum"]))


def ratios(measured: Mapping[str, float], profile: Profile) -> dict[str, float]:
    """Return each distance in units of its threshold: above 1 is warned of."""
    return {name: value / profile.thresholds[name] for name, value in measured.items()}


def largest(over: Mapping[str, float], names: Collection[str]) -> float:
    """Return the largest of some distances."""
    return max(over[name] for name in names)


def nearest(figures: Figures, profile: Profile) -> Profile:
    """Return the kind of images that were trained on that an image is least unlike."""
    kinds = (profile, *profile.others)
    return min(kinds, key=lambda kind: max(ratios(distances(figures, kind), kind).values()))
