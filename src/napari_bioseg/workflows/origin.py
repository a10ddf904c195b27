"""Which shipped model one comes from, and the simulated images that stand for what that was made for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from napari_bioseg.core.errors import BiosegError
from napari_bioseg.models.card import Card, read_card
from napari_bioseg.models.zoo import find_model
from napari_bioseg.training.recipe import Simulated

_SEED = 31_000
"""Neither that of an embedded sample nor of what forgetting is measured on, see `original_data`."""


@dataclass(frozen=True)
class Origin:
    """Images like those that a shipped model was made for, which travel with the package as a generator.

    Attributes
    ----------
    model : str
        The shipped one.
    generator : str
        Of `simulate`.
    arguments : dict
        Of the generator; its images have the pixel size of the model.
    count : int
        How many.
    """

    model: str
    generator: str
    arguments: dict[str, Any]
    count: int = 1

    def simulated(self, use: Literal["replay", "train"]) -> Simulated:
        """Return the entry of a recipe that makes such images."""
        given = {"generator": self.generator, "count": self.count, "arguments": self.arguments, "group": self.model}
        return Simulated(**given, seed=_SEED, use=use)


ORIGINS = {
    o.model: o
    for o in (
        Origin("membranes-unet2d", "em_membranes", {"shape": [6, 256, 256]}),
        Origin("vessels-unet3d", "vessel_tree", {"shape": [16, 256, 256], "voxel_size": [5.0, 1.0, 1.0]}),
        Origin("cdv-yolo", "vesicle_scene", {"shape": [1, 128, 128]}, 60),
    )
}


def origin_of(card: Card) -> Origin | None:
    """Return where a model comes from, over all that were fine-tuned between; None where nothing is known of it."""
    return next((ORIGINS[c.name] for c in ancestry(card) if c.name in ORIGINS), None)


def ancestry(card: Card) -> Iterator[Card]:
    """Yield a model's card, that of the model it continues from, and so on as long as they are found."""
    seen = set()
    while card.sha256 not in seen:
        yield card
        seen.add(card.sha256)
        start = card.recipe.get("continue_from")
        if not start:
            return
        try:
            card = read_card(find_model(start))
        except BiosegError:
            return
