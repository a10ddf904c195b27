"""Networks, model cards and the zoo. Importing this loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_bioseg.models.card import Card, read_card
from napari_bioseg.models.zoo import find_model, list_models, load_model, refusal, user_models_folder

if TYPE_CHECKING:
    from napari_bioseg.models.model import Model

__all__ = ["Card", "Model", "find_model", "list_models", "load_model", "read_card", "refusal", "user_models_folder"]


def __getattr__(name: str) -> Any:
    if name == "Model":
        from napari_bioseg.models.model import Model

        return Model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
