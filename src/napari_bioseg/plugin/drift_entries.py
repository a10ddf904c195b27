"""What the window shows of the drift of an image, and what it does about it. No Qt."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_bioseg.core.image import Image
from napari_bioseg.drift import DISTANCES, Cause
from napari_bioseg.models.pixel_size import pixel_distance, sizes_along
from napari_bioseg.plugin.contrast import contrast_limits
from napari_bioseg.plugin.first_look import Checked
from napari_bioseg.plugin.images import axes_of_layer
from napari_bioseg.plugin.layers import KEY, LayerData, Origin, geometry
from napari_bioseg.plugin.places import current_position, data_shape, go_to
from napari_bioseg.workflows.drift_fixes import can_fix, fixed

if TYPE_CHECKING:
    from napari_bioseg.models.card import Card
    from napari_bioseg.workflows.drift_check import Drift
    from napari_bioseg.workflows.drift_log import LoggedDrift


class Remedy(NamedTuple):
    """A button for a cause: its words and its tooltip."""

    words: str
    tip: str


_REMEDIES = {
    "denoise": Remedy("Denoise", "Add a layer with the noise smoothed away, in the plane; the image stays as it is"),
    "invert": Remedy("Invert", "Add a layer with light and dark exchanged; the image stays as it is"),
    "resample": Remedy(
        "Set pixel size", "Give the image the pixel size that it looks like, so that the model resamples it"
    ),
}
_RESULT = {True: "The result is likely worse.", False: "What is found looks as usual."}
_RESAMPLE = Remedy("Resample", "Bring the image to the pixel size of the model")
_CORRECT = Remedy("Correct", "Open the panel for corrections at the plane that is furthest from the training")


def remedy(cause: Cause, card: Card, image: Image) -> Remedy:
    """Return what can be done about a cause in the window."""
    if cause.action == "resample" and is_sized(image, card):
        return _RESAMPLE
    return _REMEDIES[cause.action] if can_fix(cause, card) else _CORRECT


def for_kind(model: str) -> Remedy:
    """Return the button that takes a model for such images."""
    return Remedy(f"Use {model}", "Choose the model that is made for such images")


def is_sized(image: Image, card: Card) -> bool:
    """Whether the engine can bring the image to the model's pixel size by what is known of both."""
    return pixel_distance(card.input, sizes_along(image, card.input.axes)) < math.inf


def fixed_layer(layer: Any, image: Image, cause: Cause, card: Card) -> LayerData:
    """Return a layer beside another that shows its image as the model knows it better; in a worker.

    Parameters
    ----------
    layer : napari.layers.Image
    image : Image
        That it shows.
    cause : Cause
        Noise, or light and dark exchanged.
    card : Card
    """
    better = fixed(image, cause, card)
    attributes: dict[str, Any] = {
        **geometry(better),
        **{name: getattr(layer, name) for name in ("rotate", "shear", "blending")},
        "affine": layer.affine.affine_matrix,
        "name": better.name,
        "metadata": {KEY: {"image": better, "channel": None, "origin": Origin()}},
        "rgb": better.rgb,
        "multiscale": len(better.levels) > 1,
    }
    if not better.rgb:
        attributes["colormap"] = layer.colormap
        limits = contrast_limits(better.levels[-1])
        attributes |= {} if limits is None else {"contrast_limits": limits}
    return list(better.levels) if len(better.levels) > 1 else better.data, attributes, "image"


def set_pixel_size(layers: Iterable[Any], layer: Any, image: Image) -> None:
    """Give a layer the scale of an image, and with it all that lies on it: its other channels, its labels."""
    old, units = tuple(layer.scale), tuple(layer.units)
    factors = [new / was for new, was in zip(image.scale, old, strict=False)]
    named = geometry(image)["units"]
    for other in list(layers):
        n = min(other.ndim, layer.ndim)
        if tuple(other.scale)[-n:] == old[-n:] and tuple(other.units)[-n:] == units[-n:]:
            lead = (1.0,) * (other.ndim - n)
            steps = (*lead, *factors[-n:])
            place = other.translate
            other.scale = [s * f for s, f in zip(other.scale, steps, strict=True)]
            other.units = (*tuple(other.units)[: other.ndim - n], *named[-n:])
            other.translate = [t * f for t, f in zip(place, steps, strict=True)]


def go_to_furthest(viewer: Any, checked: Checked) -> None:
    """Show the plane that is furthest from what the model was trained on."""
    layer, plane = checked.layer, list(checked.drift.planes[0])
    point = list(current_position(viewer, layer))
    for i, axis in enumerate(axes_of_layer(layer)[: layer.ndim]):
        if axis in "YX":
            point[i] = data_shape(layer)[i] // 2
        elif axis not in "CS" and plane:
            point[i] = plane.pop(0)
    go_to(viewer, layer, point)


def distance_rows(drift: Drift) -> list[tuple[str, float, float, float]]:
    """Return name, value, threshold and their ratio; the furthest first."""
    ordered = sorted(drift.ratios.items(), key=lambda row: -row[1])
    return [
        (name.replace("_", " "), drift.distances[name], drift.profile.thresholds[name], ratio)
        for name, ratio in ordered
    ]


def meaning(row: str) -> str:
    """Return what a distance is, by the name in its row."""
    return DISTANCES[row.replace(" ", "_")]


def warning(drift: Drift) -> str:
    """Return the most telling cause, and what follows of it for the result where that is known."""
    words = drift.causes[0].words
    return words if drift.worse is None else f"{words}. {_RESULT[drift.worse]}"


def verdict(drift: Drift) -> str:
    """Say in one line how an image stands to the training."""
    if not drift.warned:
        return f"✓ {drift.image}: like what {drift.model} was trained on."
    return f"{sign(drift)} {drift.image}: unlike what {drift.model} was trained on{drift.consequence}."


def sign(drift: Drift) -> str:
    """Return the sign before a warning: a milder one where the result looks as usual."""
    return "ℹ" if drift.worse is False else "⚠"


def sentence(words: str) -> str:
    """Return words with a capital."""
    return words[:1].upper() + words[1:]


def seconds(entry: LoggedDrift) -> float:
    """Return when an image was checked, in seconds since 1970."""
    return datetime.fromisoformat(entry.time).timestamp()
