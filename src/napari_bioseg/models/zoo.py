"""Where models are found: the user's folder first, then those that travel with the package.

In both, a model is a folder, or a family of versions, whose name stands for its champion.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_bioseg.core.errors import BrokenModelError, ModelNotFoundError, RecipeError
from napari_bioseg.models.card import CARD_FILE, NAME, Card, read_card
from napari_bioseg.models.versions import VERSIONS, Family

if TYPE_CHECKING:
    from napari_bioseg.core.image import Image
    from napari_bioseg.models.model import Model

FINDS = {"semantic": "labels", "detection": "boxes", "classification": "kinds of images"}
"""What models of a task find."""

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

    Of a family, the card of its champion. A folder whose card cannot be read is left out here; `load_model` says what
    is wrong with it.
    """
    cards: dict[str, Card] = {}
    for root in (shipped_models_folder(), user_models_folder()):
        for folder in _folders(root):
            try:
                found = _model_of(folder)
                if found is not None:
                    # By the folder's name, since that is what finds it.
                    cards[folder.name] = read_card(found).model_copy(update={"name": folder.name})
            except BrokenModelError:
                cards.pop(folder.name, None)  # what is listed is what its name finds
    return tuple(cards[name] for name in sorted(cards))


def find_model(name: str | Path) -> Path:
    """Return the folder of a model given by its name, by ``NAME@VERSION``, or by its path.

    Raises
    ------
    ModelNotFoundError
        There is no such model, or no such version.
    BrokenModelError
        It is a family that does not say which version is its champion.
    """
    given = Path(name)
    # A path means what is in that very folder, also where a family has grown around it since.
    found = given if (given / CARD_FILE).is_file() else _model_of(given)
    # A bare name only: a name with separators must not lead out of the zoo.
    if found is None and given.name == str(name):
        found = _model_of(user_models_folder() / given) or _model_of(shipped_models_folder() / given)
        plain, at, version = str(name).partition("@")
        if found is None and at and (family := Family(user_models_folder() / plain)).versions:
            found = family.version(version)
    if found is not None:
        return found
    known = ", ".join(card.name for card in list_models()) or "none"
    raise ModelNotFoundError(
        f"model {str(name)!r}", "is not in the zoo", f"Known models: {known}; or give a model folder"
    )


def pinned(name: str | Path) -> str:
    """Return a name that means the same model also after another version of it has become the champion.

    Raises
    ------
    ModelNotFoundError, BrokenModelError
        As for `find_model`.
    """
    folder = find_model(name)
    family = folder.parent.parent
    if folder.parent.name == VERSIONS and family.parent == user_models_folder():
        return f"{family.name}@{folder.name}"
    return str(name)


def find_family(name: str) -> Family:
    """Return the versions of a model of the user's zoo.

    Raises
    ------
    ModelNotFoundError
        There is no such model, or it has no versions.
    """
    family = Family(user_models_folder() / name)
    if Path(name).name != name or not family.versions:
        fix = f"Models with versions: {', '.join(list_families()) or 'none'}"
        raise ModelNotFoundError(f"model {name!r}", "has no versions", fix)
    return family


def list_families() -> tuple[str, ...]:
    """Return the names of the user's models that have versions."""
    return tuple(folder.name for folder in _folders(user_models_folder()) if Family(folder).versions)


@contextmanager
def changing_family(name: str, parent: Path | None = None) -> Iterator[Family]:
    """Yield a family of the user's zoo, and keep other programs from changing it.

    Where it is new, the model that has had its name so far is copied in first, and then the model in the folder
    `parent`, so that one can always go back to them.

    Raises
    ------
    RecipeError
        No model may be called that.
    BrokenModelError
        One of these models is damaged.
    UnwritableFileError
        The zoo cannot be written.
    """
    if not re.fullmatch(NAME, name):
        raise RecipeError(f"name {name!r}", "cannot be that of a model", "Use letters, digits, dots, - and _")
    family = Family(user_models_folder() / name)
    with family.changing():
        if not family.versions:
            folders = (family.folder, shipped_models_folder() / name)
            before = next((f for f in folders if (f / CARD_FILE).is_file()), None)
            for folder in filter(None, (before, parent)):
                family.adopt(folder)
        yield family


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


def _folders(root: Path) -> list[Path]:
    return sorted(root.iterdir()) if root.is_dir() else []


def _model_of(folder: Path) -> Path | None:
    """Return the folder of a model, or of the champion of a family; None where it is neither."""
    family = Family(folder)
    if family.versions:
        return family.version(family.champion)
    return folder if (folder / CARD_FILE).is_file() else None


def refusal(card: Card, image: Image, *, task: str = "semantic") -> str | None:
    """Return why a model cannot take an image for this task, in one line, or None when it can."""
    if card.task != task:
        finds = FINDS.get(card.task, "something else")
        return f"finds {finds}, not {FINDS[task]}" if task in FINDS else f"finds {finds}"
    if card.input.axes == "ZYX" and "Z" not in image.axes:
        return "needs a 3-D volume; this image has no Z axis"
    if card.input.axes == "ZYX" and image.shape[image.axis("Z")] < 2:
        return "needs a 3-D volume; this image has a single plane"
    if image.data.dtype.kind == "c":
        return "takes real grey values; this image is complex"
    if 0 in image.shape:
        return "the image is empty"
    return None
