"""Where models are found: the user's folder first, then those that travel with the package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_bioseg.core.errors import BrokenModelError, ModelNotFoundError
from napari_bioseg.models.card import CARD_FILE, Card, read_card

if TYPE_CHECKING:
    from napari_bioseg.core.image import Image
    from napari_bioseg.models.model import Model

_PACKAGE = Path(__file__).resolve().parent.parent


def user_models_folder() -> Path:
    """Folder of the user's own models; ``BIOSEG_MODELS`` overrides it."""
    from platformdirs import user_data_path

    return Path(os.environ.get("BIOSEG_MODELS") or user_data_path("napari-bioseg") / "models")


def shipped_models_folder() -> Path:
    """Folder of the shipped models: inside the wheel, or at the top of a checkout."""
    inside = _PACKAGE / "_shipped_models"
    return inside if inside.is_dir() else _PACKAGE.parent.parent / "models"


def list_models() -> tuple[Card, ...]:
    """Return the cards of all usable models, sorted by name; the user's own hides a shipped one of that name.

    A folder whose card cannot be read is left out here; `load_model` says what is wrong with it.
    """
    cards: dict[str, Card] = {}
    for root in (shipped_models_folder(), user_models_folder()):
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if (folder / CARD_FILE).is_file():
                try:
                    # By the folder's name, since that is what finds it.
                    cards[folder.name] = read_card(folder).model_copy(update={"name": folder.name})
                except BrokenModelError:
                    continue
    return tuple(cards[name] for name in sorted(cards))


def find_model(name: str | Path) -> Path:
    """Return the folder of a model given by its name or by its path.

    Raises
    ------
    ModelNotFoundError
        There is no such model.
    """
    given = Path(name)
    if (given / CARD_FILE).is_file():
        return given
    # A bare name only: a name with separators must not lead out of the zoo.
    if given.name == str(name):
        for root in (user_models_folder(), shipped_models_folder()):
            if (root / given / CARD_FILE).is_file():
                return root / given
    known = ", ".join(card.name for card in list_models()) or "none"
    raise ModelNotFoundError(
        f"model {str(name)!r}", "is not in the zoo", f"Known models: {known}; or give a model folder"
    )


def load_model(name: str | Path) -> Model:
    """Load a model by its name in the zoo or by the path of its folder.

    Raises
    ------
    ModelNotFoundError
        There is no such model.
    BrokenModelError
        Its folder is damaged.
    """
    from napari_bioseg.models.model import read_model

    return read_model(find_model(name))


def refusal(card: Card, image: Image, *, task: str = "semantic") -> str | None:
    """Return why a model cannot take an image for this task, in one line, or None when it can."""
    if card.task != task:
        return "finds boxes, not labels" if card.task == "detection" else "finds labels, not boxes"
    if card.input.axes == "ZYX" and "Z" not in image.axes:
        return "needs a 3-D volume; this image has no Z axis"
    if card.input.axes == "ZYX" and image.shape[image.axis("Z")] < 2:
        return "needs a 3-D volume; this image has a single plane"
    if image.data.dtype.kind == "c":
        return "takes real grey values; this image is complex"
    if 0 in image.shape:
        return "the image is empty"
    return None
