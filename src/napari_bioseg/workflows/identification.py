"""`identify`: what kind of image it is, how sure that is, and which models of the zoo are made for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.errors import IncompatibleImageError, RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.inference.options import NetworkOptions
from napari_bioseg.inference.windows import Encoder, read_windows
from napari_bioseg.io import open_image
from napari_bioseg.models import list_models, load_model, refusal
from napari_bioseg.workflows.options import IdentifyOptions
from napari_bioseg.workflows.region import parse_region, prediction_grid

if TYPE_CHECKING:
    from napari_bioseg.models.model import Model

_WINDOWS = 12


@dataclass(frozen=True)
class Identity:
    """What an image looks like.

    Attributes
    ----------
    image : str
        Its name.
    kind : str
        The likeliest, as the classes of the model are called.
    probabilities : dict of str to float
        Of each kind, calibrated: of all images of which 0.9 is said, 90 % are of that kind.
    models : tuple of str
        Those of the zoo that are made for this kind and can take the image.
    """

    image: str
    kind: str
    probabilities: dict[str, float]
    models: tuple[str, ...]

    @property
    def confidence(self) -> float:
        """The probability of the kind."""
        return self.probabilities[self.kind]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        probabilities = {kind: round(p, 4) for kind, p in self.probabilities.items()}
        return {
            "image": self.image,
            "kind": self.kind,
            "confidence": round(self.confidence, 4),
            "probabilities": probabilities,
            "models": list(self.models),
        }

    def __str__(self) -> str:
        fitting = f"models for it: {', '.join(self.models)}" if self.models else "no model is made for it"
        return f"{self.image}: {self.kind} ({100 * self.confidence:.0f} %); {fitting}"


def identify(
    source: str | Path | Image, options: IdentifyOptions | None = None, *, job: Job | None = None, **changes: Any
) -> Identity:
    """Say what kind of image it is; only a few windows of it are read.

    Parameters
    ----------
    source : path or Image
        A path whose file does not say its axes needs ``open_image(path, axes=...)`` first.
    options : IdentifyOptions, optional
    job : Job, optional
        For progress and for stopping.
    **changes
        Fields of `IdentifyOptions`, e.g. ``channel=1``.

    Returns
    -------
    Identity

    Raises
    ------
    Cancelled
        The job was stopped.
    RecipeError
        The model does not tell kinds, or the region or the channel does not lie in the image.
    IncompatibleImageError
        The image is empty, or its values are complex.
    ModelNotFoundError, BrokenModelError, UnreadableFileError, UnknownAxesError, DeviceError
        As named.
    """
    options = IdentifyOptions.checked({**(options.model_dump() if options else {}), **changes}, "options")
    image = source if isinstance(source, Image) else open_image(source)
    return identify_image(image, load_model(options.model), options, job=job)


def identify_image(image: Image, model: Model, options: IdentifyOptions, *, job: Job | None = None) -> Identity:
    """Identify an image with a model that is loaded.

    Raises
    ------
    RecipeError, IncompatibleImageError, DeviceError, Cancelled
        As for `identify`.
    """
    if model.card.task != "classification":
        raise RecipeError(model.card.name, "does not tell kinds of images", "Choose image-gate")
    reason = refusal(model.card, image, task=model.card.task)
    if reason:
        raise IncompatibleImageError(image.name, reason, "Choose another image")
    box = parse_region(options.region, *prediction_grid(image))
    seen = NetworkOptions(device=options.device, channel=options.channel)
    logits = kind_logits(image, model, Encoder(model, options.device), seen, box=box, job=job)
    p = kind_probabilities(logits[None])[0]
    names = [c.name for c in model.card.classes]
    kind = names[int(p.argmax())]
    fitting = (c for c in list_models() if c.kind == kind and refusal(c, image, task=c.task) is None)
    return Identity(image.name, kind, dict(zip(names, p.tolist(), strict=True)), tuple(c.name for c in fitting))


def kind_logits(
    image: Image,
    model: Model,
    encoder: Encoder,
    options: NetworkOptions | None = None,
    *,
    box: tuple[slice, ...] | None = None,
    job: Job | None = None,
) -> npt.NDArray[np.float64]:
    """Return what a model says of an image, ``(K,)``: the mean over windows that are spread over it.

    Raises
    ------
    RecipeError, Cancelled
        As for `read_windows`.
    """
    windows = read_windows(image, model, encoder, options, count=_WINDOWS, box=box, job=job)
    mean: npt.NDArray[np.float64] = np.mean([window.features for window in windows], axis=0, dtype=np.float64)
    return mean


def kind_probabilities(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the probabilities of ``(N, K)`` logits."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    p: npt.NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return p
