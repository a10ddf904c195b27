"""`import_file`: a model from a file of anyone's into the user's zoo; no code of it is run."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from napari_bioseg.core.errors import BrokenModelError, RecipeError, UnreadableFileError
from napari_bioseg.core.files import writing
from napari_bioseg.core.job import Job
from napari_bioseg.core.options import read_yaml
from napari_bioseg.models.archive import import_model
from napari_bioseg.models.card import CARD_FILE, ONNX, Card
from napari_bioseg.models.importing import import_folder
from napari_bioseg.models.model import write_model
from napari_bioseg.models.rdf import Foreign, read_package
from napari_bioseg.models.rdf_files import RDF_FILES, PackageFiles
from napari_bioseg.workflows.foreign_model import build, check_example

WEIGHTS = (".onnx", ".pt", ".pth", ".safetensors")
"""Endings of weights that need a card beside them."""

_NEEDED = ("input", "output", "classes")


def import_file(source: Path, name: str | None = None, card: Path | None = None, *, job: Job | None = None) -> Card:
    """Copy a model into the user's zoo, as the next version of its family; the champion stays.

    Parameters
    ----------
    source : Path
        What `export_model` wrote; a package of BioImage.IO, zip, folder or its ``rdf.yaml``; a model folder; or
        weights: an ONNX file, a state dict of PyTorch, or safetensors.
    name : str, optional
        Of the family; none: the name on the card.
    card : Path, optional
        YAML with what the file does not say of its card; none: for weights the file of that name on ``.yaml``, or
        ``card.yaml`` beside them.
    job : Job, optional
        For notes.

    Returns
    -------
    Card
        Of the new version.

    Raises
    ------
    UnreadableFileError
        The file is missing, or no zip.
    BrokenModelError
        It holds no model that can be used; the line says why.
    MissingDependencyError
        Its network needs a package that is not installed.
    RecipeError
        The card is missing or wrong, or no model may be called `name`.
    UnwritableFileError
        The zoo cannot be written.
    """
    job = job or Job()
    if not source.exists():
        raise UnreadableFileError(str(source), "cannot be read (No such file or directory)", "Check the path")
    source = source.parent if source.name in RDF_FILES else source
    with TemporaryDirectory(prefix="bioseg-") as temporary, writing(Path(temporary)):
        files = Path(temporary) / "files"
        files.mkdir()
        found = _found(source, card, files)
        if found is None:
            _refuse_card(card)
            return import_folder(source, source, name) if source.is_dir() else import_model(source, name)
        job.stage(f"Looking at {source.name}")
        folder = Path(temporary) / "model"
        _write(found, folder, job)
        return import_folder(folder, source, name)


def _found(source: Path, card: Path | None, files: Path) -> Foreign | None:
    """Return what came; None where it is a model as we write it ourselves."""
    if source.suffix.lower() in WEIGHTS:
        return _with_card(source, card)
    package = PackageFiles(source, files)
    description = package.description()
    if description is None:
        if source.is_dir() and not (source / CARD_FILE).is_file():
            raise BrokenModelError(str(source), "holds neither rdf.yaml nor card.yaml", "Choose the folder of a model")
        return None
    found = read_package(package, description)
    return found if card is None else _told(found, read_yaml(card))


def _refuse_card(card: Path | None) -> None:
    if card is not None:
        raise RecipeError(str(card), "is not needed: this model has a card", "Leave out --card")


def _with_card(weights: Path, card: Path | None) -> Foreign:
    beside = (weights.with_suffix(".yaml"), weights.with_name(CARD_FILE))
    path = card or next((p for p in beside if p.is_file()), None)
    if path is None:
        fix = f"Write input, output and classes to {beside[0].name} beside it, or give --card; see Add a model"
        raise RecipeError(str(weights), "does not say what it takes and gives", fix)
    values = read_yaml(path)
    missing = [key for key in _NEEDED if key not in values]
    if missing or not isinstance(values["input"], dict) or "normalisation" not in values["input"]:
        lacks = ", ".join(missing) or "input.normalisation"
        raise RecipeError(str(path), f"does not tell {lacks}", "Add it: it cannot be read off the weights")
    title = weights.stem
    defaults: dict[str, Any] = {
        "title": title,
        "summary": f"From {weights.name}",
        **dict.fromkeys(("licence", "data", "split"), "not told"),
    }
    if weights.suffix.lower() == ".onnx":
        defaults["architecture"] = {"name": ONNX}
    elif "architecture" not in values:
        raise RecipeError(str(path), "does not tell architecture", "Add its name and arguments")
    readme = f"# {title}\n\nFrom {weights.name}.\n"
    return _told(Foreign(weights, defaults, weights, readme=readme), values)


def _told(found: Foreign, values: dict[str, Any]) -> Foreign:
    """Return a model with what a card says of it."""
    return Foreign(**{**vars(found), "values": _merged(found.values, values)})


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    both = {k: _merged(old[k], v) for k, v in new.items() if isinstance(v, dict) and isinstance(old.get(k), dict)}
    return {**old, **new, **both}


def _write(found: Foreign, folder: Path, job: Job) -> None:
    """Write a model folder, once the model gives what it says that it gives."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", str(found.values.get("title", ""))).strip("-._").lower()
    model = build(found, {"name": plain[:64] or "model", **found.values}, job)
    check_example(found, model)
    write_model(folder, model.card, model.network, found.readme)
