"""A look at an image before a model's first prediction: of what kind it is, and whether the model knows such. No Qt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.images import same_layer
from napari_bioseg.plugin.kind_look import known_kind, look_at_kind
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.workflows.options import DriftOptions

if TYPE_CHECKING:
    from napari_bioseg.models.card import Card
    from napari_bioseg.models.model import Model
    from napari_bioseg.workflows.drift_check import Drift
    from napari_bioseg.workflows.identification import Identity

log = logging.getLogger("napari_bioseg")

_LOOKS = "looks"  # among our metadata of an image layer: what was found, by `FirstLook.key`


@dataclass(frozen=True)
class Checked:
    """A layer that was checked.

    Attributes
    ----------
    layer : napari.layers.Image
    card : Card
        Of the model.
    drift : Drift
    """

    layer: Any
    card: Card
    drift: Drift

    def is_of(self, layer: Any, card: Card | None) -> bool:
        """Whether it is about this layer and this model."""
        return _is_of(self, layer, card)


class Findings(NamedTuple):
    """What a look found: how far the image is from the training, and what kind it is; None where that is not known."""

    drift: Drift | None = None
    identity: Identity | None = None


@dataclass(frozen=True)
class FirstLook:
    """The first step of a prediction, which must not stand in its way.

    Attributes
    ----------
    layer : napari.layers.Image
    card : Card
        Of the model.
    options : DriftOptions
    key : Hashable
        What the answer depends on.
    known : Findings or None
        The answer of an earlier look.
    identity : Identity or None
        What kind of image it is, where that is known already.
    tell : callable
        Called with the answer in the worker's thread, unless it was known.
    """

    layer: Any
    card: Card
    options: DriftOptions
    key: Hashable
    known: Findings | None
    identity: Identity | None
    tell: Callable[[Findings], None]

    def is_of(self, layer: Any, card: Card | None) -> bool:
        """Whether it is about this layer and this model."""
        return _is_of(self, layer, card)

    def __call__(self, image: Image, model: Model, job: Job) -> Findings:
        """Say what kind of image it is, and compare it with what the model was trained on."""
        if self.known is not None:
            return self.known
        identity = self.identity or look_at_kind(image, self.options.channel, job)
        found = Findings(self._drift(image, model, job), identity)
        if found != Findings():
            self.tell(found)
        return found

    def _drift(self, image: Image, model: Model, job: Job) -> Drift | None:
        """Return how far the image is from the training; None where that is not known, failed or was stopped."""
        from napari_bioseg.workflows.drift_check import compare_with_training, profile_of
        from napari_bioseg.workflows.drift_log import log_drift

        if profile_of(model.card) is None:
            return None
        try:
            drift = compare_with_training(image, model, self.options, job=job)
            log_drift(drift)
        except Cancelled:  # the prediction ends as it does when it is stopped: with what there is
            return None
        except Exception:  # the prediction goes on, whatever is wrong with a mere look
            log.warning("%s could not be compared with the training of %s", image.name, model.card.name, exc_info=True)
            return None
        return drift


def _is_of(look: Checked | FirstLook, layer: Any, card: Card | None) -> bool:
    return card is not None and card.name == look.card.name and same_layer(layer, look.layer)


def first_look(
    layer: Any, card: Card, image: Image, options: DriftOptions, tell: Callable[[Findings], None]
) -> FirstLook:
    """Return a look at the image behind a layer; once it was looked at in this way, the answer is known."""
    placed = image.scale, image.units  # by which it is resampled
    key = card.name, card.sha256, options.region, options.channel, options.resample, *placed
    return FirstLook(layer, card, options, key, _looks(layer).get(key), known_kind(layer, options.channel), tell)


def remember_look(look: FirstLook, found: Findings) -> None:
    """Keep an answer with the layer."""
    own = look.layer.metadata.get(KEY, {})
    look.layer.metadata[KEY] = {**own, _LOOKS: {**_looks(look.layer), look.key: found}}


def with_findings(provenance: Mapping[str, Any], found: Findings | None) -> dict[str, Any]:
    """Return the provenance of a result, with what was found of its image."""
    drift, identity = found or Findings()
    told = {"drift": drift, "kind": identity}
    return {**provenance, **{name: value.as_dict() for name, value in told.items() if value is not None}}


def _looks(layer: Any) -> Mapping[Hashable, Findings]:
    own = layer.metadata.get(KEY, {})
    looks: Mapping[Hashable, Findings] = own.get(_LOOKS, {})
    return looks
