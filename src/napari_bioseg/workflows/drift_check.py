"""`check_drift`: whether a model was trained on images like this one, and if not, why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_bioseg.core.errors import IncompatibleImageError, RecipeError
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.drift import (
    DISTANCES,
    OUTPUT,
    Cause,
    Figures,
    Profile,
    Tried,
    distances,
    find_causes,
    nearest,
    ratios,
)
from napari_bioseg.inference.windows import Encoder, Window, read_windows
from napari_bioseg.io import open_image
from napari_bioseg.models import load_model, refusal
from napari_bioseg.models.pixel_size import pixel_distance, sizes_along
from napari_bioseg.workflows.drift_trials import describe_windows, try_changes
from napari_bioseg.workflows.options import DriftOptions
from napari_bioseg.workflows.region import parse_region, prediction_grid

if TYPE_CHECKING:
    from napari_bioseg.models.card import Card
    from napari_bioseg.models.model import Model


@dataclass(frozen=True)
class Drift:
    """How far an image is from what a model was trained on.

    Attributes
    ----------
    image, model : str
        Their names.
    ratios : dict
        Each distance of `drift.DISTANCES` in units of its threshold: above 1 is warned of.
    distances : dict
        The distances themselves.
    causes : tuple of Cause
        Why it is warned, the most telling first; empty without a warning.
    figures : Figures
        Of the image.
    profile : Profile
        Of the model; where it was trained on several kinds of images, of that which this one is least unlike.
    planes : tuple of tuple of int
        Where the windows lie, along the axes of a prediction but Y and X; those furthest from the reference first.
    """

    image: str
    model: str
    ratios: dict[str, float]
    distances: dict[str, float]
    causes: tuple[Cause, ...]
    figures: Figures
    profile: Profile
    planes: tuple[tuple[int, ...], ...]

    @property
    def warned(self) -> bool:
        """Whether a distance exceeds its threshold."""
        return bool(self.causes)

    @property
    def worse(self) -> bool | None:
        """Whether the result is likely worse, since what the network finds is unusual, too; None where not known."""
        over = [self.ratios[name] for name in OUTPUT if name in self.ratios]
        return max(over) > 1 if over else None

    @property
    def score(self) -> float:
        """The largest ratio: above 1 is warned of."""
        return max(self.ratios.values())

    def as_dict(self) -> dict[str, Any]:
        """Return names, figures and words, for JSON."""
        return {
            "image": self.image,
            "model": self.model,
            "warned": self.warned,
            "worse": self.worse,
            "score": round(self.score, 3),
            "causes": [{"name": c.name, "words": c.words, "action": c.action, "amount": c.amount} for c in self.causes],
            "distances": {name: round(value, 5) for name, value in self.distances.items()},
            "thresholds": {name: round(value, 5) for name, value in self.profile.thresholds.items()},
        }

    def __str__(self) -> str:
        if not self.warned:
            return f"{self.image}: like what {self.model} was trained on"
        causes = "; ".join(cause.words for cause in self.causes)
        return f"{self.image}: unlike what {self.model} was trained on{self.consequence}: {causes}"

    @property
    def consequence(self) -> str:
        """What follows from a warning, as the end of a sentence; empty where that is not known."""
        if self.worse is None:
            return ""
        return ", and the result is likely worse" if self.worse else ", though what it finds looks as usual"


def check_drift(
    source: str | Path | Image, options: DriftOptions | None = None, *, job: Job | None = None, **changes: Any
) -> Drift:
    """Compare an image with what a model was trained on; only a few windows of it are read.

    Parameters
    ----------
    source : path or Image
        A path whose file does not say its axes needs ``open_image(path, axes=...)`` first.
    options : DriftOptions, optional
    job : Job, optional
        For progress and for stopping.
    **changes
        Fields of `DriftOptions`, e.g. ``model="membranes-unet2d"``.

    Returns
    -------
    Drift

    Raises
    ------
    Cancelled
        The job was stopped.
    RecipeError
        The card of the model has no reference profile, or the region does not lie in the image.
    IncompatibleImageError
        The model cannot take this image.
    ModelNotFoundError, BrokenModelError, UnreadableFileError, UnknownAxesError, DeviceError
        As named.
    """
    values = {**(options.model_dump() if options else {}), **changes}
    options = DriftOptions.checked(values, "options")
    image = source if isinstance(source, Image) else open_image(source)
    return compare_with_training(image, load_model(options.model), options, job=job)


def compare_with_training(
    image: Image,
    model: Model,
    options: DriftOptions,
    *,
    windows: int = 12,
    encoder: Encoder | None = None,
    to_end: bool = True,
    job: Job | None = None,
) -> Drift:
    """Check an image for a model that is loaded; `windows` is about how many parts of it are looked at.

    Who checks many images gives the encoder that it made of the model. Where the network is not run `to_end`, which
    takes most of the time, what it finds is not compared.

    Raises
    ------
    RecipeError, IncompatibleImageError, DeviceError, Cancelled
        As for `check_drift`.
    """
    profile = profile_of(model.card)
    if profile is None:
        problem = "its card has no reference profile: it is not known what it was trained on"
        raise RecipeError(model.card.name, problem, "Train it again, or choose another model")
    reason = refusal(model.card, image, task=model.card.task)
    if reason:
        raise IncompatibleImageError(image.name, f"{model.card.name} {reason}", "Choose another model")
    box = parse_region(options.region, *prediction_grid(image))
    encoder = encoder or Encoder(model, options.device)
    found = read_windows(image, model, encoder, options, count=windows, box=box, to_end=to_end, job=job)
    figures = describe_windows(found)
    profile = nearest(figures, profile)
    measured = distances(figures, profile)
    over = ratios(measured, profile)
    tried = try_changes(found, model, encoder, profile, figures, over) if max(over.values()) > 1 else Tried(over)
    sized = options.resample and pixel_distance(model.card.input, sizes_along(image, model.axes)) < math.inf
    causes = find_causes(figures, profile, over, tried=tried, sized=sized, title=model.card.title)
    return Drift(image.name, model.card.name, over, measured, causes, figures, profile, _furthest(found, profile))


def profile_of(card: Card) -> Profile | None:
    """Return the reference profile of a model; None where its card has none, or one that this version cannot read."""
    try:
        profile = Profile.checked(card.profile, card.name) if card.profile else None
    except RecipeError:
        return None
    return profile if profile is not None and all(map(_is_whole, (profile, *profile.others))) else None


def _is_whole(kind: Profile) -> bool:
    return set(kind.thresholds) == set(DISTANCES) - (set() if kind.output else set(OUTPUT))


def _furthest(windows: Sequence[Window], profile: Profile) -> tuple[tuple[int, ...], ...]:
    """Return the planes of the windows, that furthest from the reference first."""

    def score(window: Window) -> float:
        return max(ratios(distances(describe_windows([window]), profile), profile).values())

    planes = {w.plane for w in windows}
    if len(planes) == 1:
        return tuple(planes)
    return tuple(dict.fromkeys(w.plane for w in sorted(windows, key=score, reverse=True)))
