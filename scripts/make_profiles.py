"""Write the reference profiles of shipped models to their cards again, from the data that their recipes name.

A training writes the profile by itself; this is for a profile of a later layout, and needs the data (`BIOSEG_DATA`)::

    python scripts/make_profiles.py [models/NAME ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.core.job import Job
from napari_bioseg.models.card import CARD_FILE
from napari_bioseg.models.model import read_model
from napari_bioseg.workflows.profiling import profile_training
from napari_bioseg.workflows.recipe_data import recipe_on_card

MODELS = Path(__file__).resolve().parent.parent / "models"


def main(folders: list[Path]) -> None:
    """Make the profiles of some models."""
    for folder in folders:
        model = read_model(folder)
        profile = profile_training(recipe_on_card(model.card), model, Job())
        card = model.card.model_copy(update={"profile": profile})
        with whole_or_nothing(folder / CARD_FILE) as part:
            part.write_text(card.to_yaml(), encoding="utf-8")


if __name__ == "__main__":
    main([Path(given) for given in sys.argv[1:]] or sorted(f.parent for f in MODELS.glob(f"*/{CARD_FILE}")))
