"""`Row`: how good a model is on one image."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """Scores of one image.

    Attributes
    ----------
    image : str
        Its name.
    scores : dict of str to float
        Of the model.
    oracle : dict of str to float
        Of the single grey-value threshold with the best Dice, found with the truth in hand: a model means
        something only above it. Scores of cells parted by membranes are left out, and those of boxes.
    intervals : dict of str to tuple of float
        Of the scores of boxes: 95 % by drawing frames, where 5 or more have a box.
    """

    image: str
    scores: dict[str, float]
    oracle: dict[str, float]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
