"""A look at an image before a model's first prediction on it: whether the model knows such images. No Qt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.images import same_layer
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.workflows.options import DriftOptions

if TYPE_CHECKING:
    from napari_bioseg.models.card import Card
    from napari_bioseg.models.model import Model
    from napari_bioseg.workflows.drift_check import Drift

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
        return card is not None and card.name == self.card.name and same_layer(layer, self.layer)


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
    known : Drift or None
        The answer of an earlier look.
    tell : callable
        Called with the answer in the worker's thread, unless it was known.
    """

    layer: Any
    card: Card
    options: DriftOptions
    key: Hashable
    known: Drift | None
    tell: Callable[[Checked], None]

    def __call__(self, image: Image, model: Model, job: Job) -> Drift | None:
        """Compare the image with what the model was trained on; None where that is not known, failed or was stopped."""
        from napari_bioseg.workflows.drift_check import compare_with_training, profile_of
        from napari_bioseg.workflows.drift_log import log_drift

        if self.known is not None or profile_of(model.card) is None:
            return self.known
        try:
            drift = compare_with_training(image, model, self.options, job=job)
            log_drift(drift)
        except Cancelled:  # the prediction ends as it does when it is stopped: with what there is
            return None
        except Exception:  # the prediction goes on, whatever is wrong with a mere look
            log.warning("%s could not be compared with the training of %s", image.name, model.card.name, exc_info=True)
            return None
        self.tell(Checked(self.layer, self.card, drift))
        return drift


def first_look(
    layer: Any, card: Card, image: Image, options: DriftOptions, tell: Callable[[Checked], None]
) -> FirstLook:
    """Return a look at the image behind a layer; once it was looked at in this way, the answer is known."""
    placed = image.scale, image.units  # by which it is resampled
    key = card.name, card.sha256, options.region, options.channel, options.resample, *placed
    return FirstLook(layer, card, options, key, _looks(layer).get(key), tell)


def remember_look(look: FirstLook, drift: Drift) -> None:
    """Keep an answer with the layer."""
    own = look.layer.metadata.get(KEY, {})
    look.layer.metadata[KEY] = {**own, _LOOKS: {**_looks(look.layer), look.key: drift}}


def _looks(layer: Any) -> Mapping[Hashable, Drift]:
    own = layer.metadata.get(KEY, {})
    looks: Mapping[Hashable, Drift] = own.get(_LOOKS, {})
    return looks
