"""A model that came from elsewhere, into the user's zoo: nothing of it is believed before it was looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import yaml
from safetensors import SafetensorError, safe_open
from yaml.events import CollectionEndEvent, CollectionStartEvent

from napari_bioseg.core.errors import BrokenModelError, RecipeError
from napari_bioseg.models.card import (
    CARD_FILE,
    ONNX,
    ONNX_FILE,
    README_FILE,
    WEIGHTS_FILE,
    Card,
    check_weights,
    read_card,
)
from napari_bioseg.models.model import read_model
from napari_bioseg.models.registry import build_network
from napari_bioseg.models.zips import AGAIN
from napari_bioseg.models.zoo import changing_family

LARGEST = {CARD_FILE: 2**20, README_FILE: 2**20, WEIGHTS_FILE: 2**32, ONNX_FILE: 2**31}
"""What a model that is passed on may consist of, and how many bytes that may have."""
_DEEPEST = 50  # levels of a card


def files_of(card: Card) -> tuple[str, ...]:
    """Return the names of the files that a model with this card consists of."""
    return CARD_FILE, README_FILE, card.weights_file


def received_card(folder: Path, source: Path | str) -> Card:
    """Read a card that came from `source`, before it is known to be one.

    Raises
    ------
    BrokenModelError
        It is none.
    """
    with _naming(source):
        check_plain(folder / CARD_FILE)
        return read_card(folder)


def import_folder(folder: Path, source: Path | str, name: str | None = None) -> Card:
    """Copy a model that came from elsewhere into the user's zoo, as `import_model` does, once it was loaded.

    Parameters
    ----------
    folder : Path
        Of the model.
    source : Path or str
        Where it came from.
    name : str, optional
        As for `import_model`.

    Raises
    ------
    BrokenModelError, RecipeError, UnwritableFileError
        As for `import_model`.
    """
    with _naming(source):
        card = _checked(folder)
    with changing_family(name or card.name) as family:
        return family.add(folder, "imported", origin=source)


@contextmanager
def _naming(source: Path | str) -> Iterator[None]:
    """Say of errors what came, instead of a folder that the user never sees."""
    try:
        yield
    except (BrokenModelError, RecipeError) as error:
        fix = error.fix if isinstance(error, RecipeError) else AGAIN
        raise BrokenModelError(f"{source}: {Path(error.subject).name}", error.problem, fix) from error


def _checked(folder: Path) -> Card:
    """Return the card of an unpacked model once it was loaded."""
    check_plain(folder / CARD_FILE)
    card = read_card(folder)
    if not card.sha256:
        raise BrokenModelError(CARD_FILE, "has no sha256 of the weights", AGAIN)
    check_weights(folder, card)
    if card.architecture.name != ONNX:  # whose network is the file itself
        _check_size(folder, card)
    return read_model(folder).card


def check_plain(file: Path) -> None:
    """Refuse YAML whose parts stand for each other: a few lines of that would fill the memory.

    Raises
    ------
    BrokenModelError
        It is such, too large, or no YAML.
    """
    if file.stat().st_size > LARGEST[CARD_FILE]:
        raise BrokenModelError(file.name, "is too large", AGAIN)
    depth = 0
    try:
        for event in yaml.parse(file.read_bytes()):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
                raise BrokenModelError(file.name, "refers to itself, or is nested too deeply", AGAIN)
    except yaml.YAMLError as error:
        raise BrokenModelError(file.name, f"is not valid YAML ({str(error).splitlines()[0]})", AGAIN) from error


def _check_size(folder: Path, card: Card) -> None:
    """Refuse a card whose network is not that of the weights, before memory is taken for it."""
    try:
        with torch.device("meta"):
            wanted = build_network(card.architecture.name, card.architecture.arguments).state_dict()
        with safe_open(folder / WEIGHTS_FILE, "pt") as weights:
            found = {key: tuple(weights.get_slice(key).get_shape()) for key in weights.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise BrokenModelError(WEIGHTS_FILE, f"is damaged ({error})", AGAIN) from error
    if found != {key: tuple(tensor.shape) for key, tensor in wanted.items()}:
        raise BrokenModelError(WEIGHTS_FILE, "does not fit its card", AGAIN)
