"""What the panel does in the background while it opens."""

from __future__ import annotations

from napari_bioseg.core.job import Job
from napari_bioseg.models import Card, list_models


def read_zoo(_job: Job) -> tuple[Card, ...]:
    """Read the cards of all models."""
    return list_models()


def load_engine(_job: Job) -> None:
    """Load torch and the engine, which take seconds, before the first button is pressed.

    And what napari loads with the first Labels layer (pandas, skimage): over a second in the GUI thread otherwise.
    """
    import numpy as np
    from napari.layers import Labels

    import napari_bioseg.models.model
    import napari_bioseg.workflows.segmentation  # noqa: F401

    Labels(np.zeros((1, 1), np.uint32))
