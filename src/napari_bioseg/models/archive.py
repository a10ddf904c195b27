"""A model as one file: a zip with its card, weights and README, and nothing else."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

from napari_bioseg.core.errors import BiosegError, BrokenModelError, RecipeError, UnreadableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.models.card import WEIGHTS_FILE, Card, check_weights, read_card
from napari_bioseg.models.importing import AGAIN, LARGEST, import_folder
from napari_bioseg.models.zoo import find_model

_MOST_SMALLER = 100  # times that weights may shrink: no trained ones do by as much as two
_SMALL = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


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
        _unpack(file, Path(temporary))
        return import_folder(Path(temporary), file, name)


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
        raise UnreadableFileError(str(file), f"is no zip, or a damaged one ({error})", AGAIN) from error


def _unpack_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    with archive.open(entry) as source, writing(target), target.open("wb") as stream:
        shutil.copyfileobj(source, stream)


def _entries(file: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the entries of an archive that has each file of a model once, and no other entry."""
    entries = archive.infolist()
    if sorted(e.filename for e in entries) != sorted(LARGEST):
        there = ", ".join(repr(e.filename) for e in entries[:5]) + (", …" if len(entries) > 5 else "")
        raise BrokenModelError(str(file), f"must hold {', '.join(LARGEST)} and nothing else, not {there}", AGAIN)
    for entry in entries:
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG) or entry.compress_type not in _METHODS:
            raise BrokenModelError(f"{file}: {entry.filename}", "is no plain file", AGAIN)
        packed = max(entry.compress_size * _MOST_SMALLER, _SMALL)
        if entry.file_size > min(LARGEST[entry.filename], packed):
            problem = f"would be {entry.file_size / 2**20:,.0f} MiB, from {entry.compress_size / 2**20:,.0f} MiB"
            raise BrokenModelError(f"{file}: {entry.filename}", problem, AGAIN)
    return entries
