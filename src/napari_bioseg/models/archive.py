"""A model as one file: a zip with its card, weights and README, and nothing else."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import yaml
from safetensors import SafetensorError, safe_open
from yaml.events import CollectionEndEvent, CollectionStartEvent

from napari_bioseg.core.errors import BiosegError, BrokenModelError, RecipeError, UnreadableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.models.card import CARD_FILE, README_FILE, WEIGHTS_FILE, Card, check_weights, read_card
from napari_bioseg.models.model import read_model
from napari_bioseg.models.registry import build_network
from napari_bioseg.models.zoo import changing_family, find_model

LARGEST = {CARD_FILE: 2**20, README_FILE: 2**20, WEIGHTS_FILE: 2**32}
"""What may be in an archive, and how many bytes it may have."""
_MOST_SMALLER = 100  # times that weights may shrink: no trained ones do by as much as two
_SMALL = 2**20
_DEEPEST = 50  # levels of a card
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_AGAIN = "Ask for the file again"


def export_model(name: str | Path, out: Path) -> Path:
    """Write a model to one file; an archive of that name is replaced.

    Parameters
    ----------
    name : str or Path
        As for `find_model`.
    out : Path
        Ends on ``.zip``.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ModelNotFoundError, BrokenModelError
        There is no such model, or it is damaged.
    RecipeError
        `out` is no ``.zip``.
    UnwritableFileError
        It cannot be written.
    """
    check_zip_ending(out)
    folder = find_model(name)
    card = read_card(folder)
    check_weights(folder, card)
    with writing(out), whole_or_nothing(out) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in LARGEST:
            # Weights hardly shrink: packing them would only take time.
            method = zipfile.ZIP_STORED if file == WEIGHTS_FILE else None
            if (folder / file).is_file():
                archive.write(folder / file, file, method)
            else:
                archive.writestr(file, f"# {card.name}\n")
    return out


def import_model(file: Path, name: str | None = None) -> Card:
    """Copy a model from an archive into the user's zoo, as the next version of its family.

    The champion stays; in a new family, the model that has had the name so far is version 1 and its champion.

    Parameters
    ----------
    file : Path
    name : str, optional
        Of the family; none: the name on the card.

    Returns
    -------
    Card
        Of the new version.

    Raises
    ------
    UnreadableFileError
        The file is missing or no zip.
    BrokenModelError
        It does not hold a model that can be loaded, or holds anything else.
    RecipeError
        No model may be called `name`.
    UnwritableFileError
        The zoo cannot be written.
    """
    with TemporaryDirectory(prefix="bioseg-") as temporary:
        folder = Path(temporary)
        _unpack(file, folder)
        try:
            card = _checked(folder)
        except (BrokenModelError, RecipeError) as error:
            # Of the archive, not of a folder that the user never sees.
            fix = error.fix if isinstance(error, RecipeError) else _AGAIN
            raise BrokenModelError(f"{file}: {Path(error.subject).name}", error.problem, fix) from error
        with changing_family(name or card.name) as family:
            return family.add(folder, "imported", origin=file)


def check_zip_ending(out: Path) -> None:
    """Refuse a name that does not end on ``.zip``.

    Raises
    ------
    RecipeError
    """
    if out.suffix.lower() != ".zip":
        raise RecipeError(str(out), "is no .zip", f"Choose e.g. {out.stem}.zip")


def _unpack(file: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in _entries(file, archive):
                _unpack_entry(archive, entry, folder / entry.filename)
    except BiosegError:
        raise
    except OSError as error:
        raise UnreadableFileError(str(file), f"cannot be read ({error.strerror or error})", "Check the path") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnreadableFileError(str(file), f"is no zip, or a damaged one ({error})", _AGAIN) from error


def _unpack_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    with archive.open(entry) as source, writing(target), target.open("wb") as stream:
        shutil.copyfileobj(source, stream)


def _entries(file: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the entries of an archive that has each file of a model once, and no other entry."""
    entries = archive.infolist()
    if sorted(e.filename for e in entries) != sorted(LARGEST):
        there = ", ".join(repr(e.filename) for e in entries[:5]) + (", …" if len(entries) > 5 else "")
        raise BrokenModelError(str(file), f"must hold {', '.join(LARGEST)} and nothing else, not {there}", _AGAIN)
    for entry in entries:
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG) or entry.compress_type not in _METHODS:
            raise BrokenModelError(f"{file}: {entry.filename}", "is no plain file", _AGAIN)
        packed = max(entry.compress_size * _MOST_SMALLER, _SMALL)
        if entry.file_size > min(LARGEST[entry.filename], packed):
            problem = f"would be {entry.file_size / 2**20:,.0f} MiB, from {entry.compress_size / 2**20:,.0f} MiB"
            raise BrokenModelError(f"{file}: {entry.filename}", problem, _AGAIN)
    return entries


def _checked(folder: Path) -> Card:
    """Return the card of an unpacked model once it was loaded."""
    _check_plain(folder / CARD_FILE)
    card = read_card(folder)
    if not card.sha256:
        raise BrokenModelError(CARD_FILE, "has no sha256 of the weights", _AGAIN)
    check_weights(folder, card)
    _check_size(folder, card)
    return read_model(folder).card


def _check_plain(card: Path) -> None:
    """Refuse a card whose parts stand for each other: a few lines of that would fill the memory."""
    depth = 0
    try:
        for event in yaml.parse(card.read_bytes()):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST:
                raise BrokenModelError(CARD_FILE, "is no card: it refers to itself, or is nested too deeply", _AGAIN)
    except yaml.YAMLError as error:
        raise BrokenModelError(CARD_FILE, f"is not valid YAML ({str(error).splitlines()[0]})", _AGAIN) from error


def _check_size(folder: Path, card: Card) -> None:
    """Refuse a card whose network is not that of the weights, before memory is taken for it."""
    try:
        with torch.device("meta"):
            wanted = build_network(card.architecture.name, card.architecture.arguments).state_dict()
        with safe_open(folder / WEIGHTS_FILE, "pt") as weights:
            found = {key: tuple(weights.get_slice(key).get_shape()) for key in weights.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise BrokenModelError(WEIGHTS_FILE, f"is damaged ({error})", _AGAIN) from error
    if found != {key: tuple(tensor.shape) for key, tensor in wanted.items()}:
        raise BrokenModelError(WEIGHTS_FILE, "does not fit its card", _AGAIN)
