"""What kind of image a layer shows, and whether a model was made for another. No Qt."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.errors import BiosegError, Cancelled
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.plugin.layers import KEY
from napari_bioseg.workflows.options import IdentifyOptions

if TYPE_CHECKING:
    from napari_bioseg.models.card import Card
    from napari_bioseg.workflows.drift_check import Drift
    from napari_bioseg.workflows.identification import Identity

log = logging.getLogger("napari_bioseg")

SURE = 0.9  # that an image is of another kind than the model's: told, whatever else is known
LIKELY = 0.5  # told where the model's own features are unlike its training, too
PROPOSED = 0.5  # confidence from which a model for the kind is proposed

_IDENTITIES = "kinds"  # among our metadata of an image layer: what was found, by channel

_LOOKS_LIKE = {
    "EM": "electron microscopy",
    "phase contrast": "phase contrast",
    "vessels": "vessels in two-photon microscopy",
    "spots": "fluorescent spots",
    "other": "a photograph or another kind of image",
}


def look_at_kind(image: Image, channel: int, job: Job) -> Identity | None:
    """Say what kind of image it is, from all of it; None where that failed or was stopped. For a worker.

    Parameters
    ----------
    image : Image
    channel : int
    job : Job
    """
    from napari_bioseg.models import load_model
    from napari_bioseg.workflows.identification import identify_image

    options = IdentifyOptions(channel=channel)
    try:
        return identify_image(image, load_model(options.model), options, job=job)
    except Cancelled:
        return None
    except BiosegError as error:  # a mere look must not stand in the way of what is wanted
        log.warning("it is not known what kind of image %s is: %s", image.name, error)
        return None


def known_kind(layer: Any, channel: int) -> Identity | None:
    """Return what was found of a layer before."""
    found: Identity | None = layer.metadata.get(KEY, {}).get(_IDENTITIES, {}).get(channel)
    return found


def remember_kind(layer: Any, channel: int, identity: Identity) -> None:
    """Keep what was found with the layer."""
    own = layer.metadata.get(KEY, {})
    layer.metadata[KEY] = {**own, _IDENTITIES: {**own.get(_IDENTITIES, {}), channel: identity}}


def proposed_kind(identity: Identity | None) -> str:
    """Return the kind of which a model is to be proposed; empty where it is not sure enough."""
    return identity.kind if identity is not None and identity.confidence >= PROPOSED else ""


def misfit(identity: Identity | None, card: Card, drift: Drift | None) -> str:
    """Say that a model was made for another kind of image, with the second opinion of its own features; or nothing.

    Parameters
    ----------
    identity : Identity or None
        Of the image.
    card : Card
        Of the model.
    drift : Drift or None
        Of the image from what the model was trained on, if that is known.
    """
    if identity is None or not card.kind or identity.kind == card.kind:
        return ""
    unlike = 1 - identity.probabilities.get(card.kind, 0.0)
    strange = drift is not None and drift.ratios["features"] > 1
    if unlike < (LIKELY if strange else SURE):
        return ""
    opinion = "" if drift is None else f"; {_second_opinion(strange)}"
    what = _LOOKS_LIKE.get(identity.kind, identity.kind)
    return f"this looks like {what} ({100 * identity.confidence:.0f} %): {card.name} was made for {card.kind}{opinion}"


def _second_opinion(strange: bool) -> str:
    return "it finds the image strange, too" if strange else "yet by its own features the image is like its training"
