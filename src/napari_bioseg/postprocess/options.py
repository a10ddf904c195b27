"""Options of decoding."""

from __future__ import annotations

from pydantic import Field

from napari_bioseg.core.options import Options

DEFAULT_THRESHOLD = 0.5


class DecodeOptions(Options):
    """How probabilities become labels; none of it runs the network again."""

    threshold: float | None = Field(
        None, ge=0, le=1, description="Probability above which a pixel counts; none: the model's own"
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

    @property
    def needs_objects(self) -> bool:
        """Whether labels depend on whole objects, not on each pixel alone."""
        return bool(self.instances or self.min_size or self.fill_holes)
