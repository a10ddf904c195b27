"""Options of decoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from pydantic import Field

from napari_bioseg.core.options import Options


class Limits(NamedTuple):
    """The options that a model has values of its own for; the defaults hold where it has none."""

    threshold: float = 0.5
    separate: float = 0.0


class DecodeOptions(Options):
    """How probabilities become labels; none of it runs the network again."""

    threshold: float | None = Field(
        None, ge=0, le=1, description="Probability above which a pixel counts; none: the model's own"
    )
    separate: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Close gaps between objects: draw a line of one pixel, in each plane, where the surroundings of "
        "two cores of at least this probability meet; 0: no lines, none: the model's own",
    )
    min_size: int = Field(0, ge=0, description="Objects of fewer pixels are dropped; 0: none")
    fill_holes: int = Field(0, ge=0, description="Enclosed holes of up to this many pixels are filled; 0: none")
    instances: bool = Field(False, description="Give each object a number of its own instead of its class")
    split: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Cut touching objects (with instances) where they are narrower than this share of the "
        "thinner one; 0: never, 0.7: usual, 1: at every waist",
    )

    def limits(self, own: Mapping[str, Any]) -> Limits:
        """Return what holds: the values that are given, else those of a model, by name.

        Objects that are numbered are parted between the cores that a model tells of, if it does.
        """
        given = {name: getattr(self, name) for name in Limits._fields if getattr(self, name) is not None}
        known = {name: float(own[name]) for name in Limits._fields if name in own}
        if self.instances and own.get("cores"):
            known["separate"] = float(own["cores"])
        return Limits(**{**known, **given})

    def resolved(self, own: Mapping[str, Any]) -> Self:
        """Return the options with their `limits` filled in."""
        return self.model_copy(update=self.limits(own)._asdict())

    @property
    def needs_objects(self) -> bool:
        """Whether labels depend on whole objects, not on each pixel alone."""
        return bool(self.instances or self.min_size or self.fill_holes)
