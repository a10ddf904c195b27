"""A model as one file: a zip with its card, weights and README, and nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from napari_bioseg.core.errors import BrokenModelError, RecipeError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.models.card import CARD_FILE, ONNX_FILE, README_FILE, WEIGHTS_FILE, Card, check_weights, read_card
from napari_bioseg.models.importing import LARGEST, files_of, import_folder
from napari_bioseg.models.zips import AGAIN, check_entry, reading_zip, unpack_entry
from napari_bioseg.models.zoo import find_model


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
        for file in files_of(card):
            # Weights hardly shrink: packing them would only take time.
            method = zipfile.ZIP_STORED if file == card.weights_file else None
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
    with reading_zip(file) as archive:
        for entry in _entries(file, archive):
            unpack_entry(archive, entry, folder / entry.filename)


def _entries(file: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the entries of an archive that has each file of a model once, and no other entry."""
    entries = archive.infolist()
    there = sorted(e.filename for e in entries)
    if all(there != sorted((CARD_FILE, README_FILE, weights)) for weights in (WEIGHTS_FILE, ONNX_FILE)):
        shown = ", ".join(repr(name) for name in there[:5]) + (", …" if len(there) > 5 else "")
        wanted = f"{CARD_FILE}, {README_FILE}, {WEIGHTS_FILE}"
        raise BrokenModelError(str(file), f"must hold {wanted} and nothing else, not {shown}", AGAIN)
    for entry in entries:
        check_entry(file, entry, LARGEST[entry.filename])
    return entries
