"""Models in MLflow's registry: what is there by its weights is not put there again; the champion is followed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from napari_bioseg.core.errors import BrokenModelError, ModelNotFoundError, RecipeError
from napari_bioseg.core.files import writing
from napari_bioseg.runs.mirror import Mirror
from napari_bioseg.runs.mlflow import download, ensure_registered, find_version, link_model, write_pyfunc
from napari_bioseg.runs.server import is_server
from napari_bioseg.runs.trained_model import TrainedModel

CHAMPION = "champion"
_SHA256, _SINCE = "bioseg.sha256", "bioseg.champion_since"
_KEPT = "model"  # a folder in what is uploaded
_REFERENCE = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))?")


def parse_reference(text: str) -> tuple[str, str]:
    """Return name and version, or alias, of ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.

    Raises
    ------
    RecipeError
        It is written otherwise.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise RecipeError(text, "names no model of a registry", "Write models:/NAME@champion or models:/NAME/2")
    return found["name"], found["alias"] or found["version"] or CHAMPION


def log_model(mirror: Mirror, model: TrainedModel, files: Sequence[str], run: str | None = None) -> None:
    """Upload a model as MLflow serves it, unless it is there, and have its run show it.

    Parameters
    ----------
    mirror : Mirror
    model : TrainedModel
    files : sequence of str
        Which of its folder belong to it.
    run : str, optional
        The server's id of the run that made it.
    """
    found = _logged(mirror, model)
    if found is None:
        found = mirror.client.create_logged_model(
            mirror.experiment, name=model.name, source_run_id=run, tags={_SHA256: model.sha256}
        )
    if str(found.status) != "READY":
        with TemporaryDirectory(prefix="bioseg-") as temporary, writing(Path(temporary)):
            kept, packed = Path(temporary) / _KEPT, Path(temporary) / "pyfunc"
            kept.mkdir()
            for name in files:
                if (model.folder / name).is_file():
                    shutil.copyfile(model.folder / name, kept / name)
                else:
                    (kept / name).touch()  # a model may be without a README
            write_pyfunc(model, kept, packed, model_id=found.model_id, run=run)
            mirror.client.log_model_artifacts(found.model_id, str(packed))
        mirror.client.finalize_logged_model(found.model_id, "READY")
        for other in _search(mirror, model):
            if str(other.status) != "READY":  # left behind where it broke off before
                mirror.client.delete_logged_model(other.model_id)
    if run is not None:
        link_model(mirror.client, run, found.model_id)


def register(mirror: Mirror, name: str, model: TrainedModel, run: str | None = None) -> str:
    """Make a model that is logged a version of a registered model, unless it is one; returns the version.

    Parameters
    ----------
    mirror : Mirror
    name : str
        Of the registered model; made where there is none.
    model : TrainedModel
    run : str, optional
        The server's id of the run that made it.
    """
    ensure_registered(mirror.client, name, model.summary)
    there = _versions(mirror.client, name, model)
    if not there:
        logged = _logged(mirror, model)
        # For a local store MLflow looks up models:/ by a global setting, which need not be this store.
        served = is_server(mirror.uri)
        mirror.client.create_model_version(
            name,
            f"models:/{logged.model_id}" if served else logged.artifact_location,
            model_id=logged.model_id if served else None,
            run_id=run,
            tags={_SHA256: model.sha256},
            description=model.summary,
            await_creation_for=0,
        )
        there = _versions(mirror.client, name, model)
    for double in there[1:]:  # another machine did the same just now
        mirror.client.delete_model_version(name, str(double))
    return str(there[0])


def crown(mirror: Mirror, name: str, version: str, since: str) -> None:
    """Have the alias ``champion`` stand for a version, unless the server knows of a later choice.

    Parameters
    ----------
    mirror : Mirror
    name, version : str
    since : str
        When it was chosen, UTC, ISO 8601.
    """
    known = mirror.client.get_registered_model(name)
    before = known.tags.get(_SINCE, "")
    if before > since or (before == since and str(known.aliases.get(CHAMPION)) == version):
        return
    mirror.client.set_registered_model_alias(name, CHAMPION, version)
    mirror.client.set_registered_model_tag(name, _SINCE, since)


def fetch(mirror: Mirror, name: str, version: str, files: Sequence[str], folder: Path) -> None:
    """Download the files of a registered model of ours.

    Parameters
    ----------
    mirror : Mirror
    name : str
    version : str
        Number, or alias.
    files : sequence of str
        Their names; nothing else is taken.
    folder : Path
        Where to, by these names.

    Raises
    ------
    ModelNotFoundError
        There is no such model, or no such version of it.
    BrokenModelError
        It is none of ours.
    """
    known = find_version(mirror.client, name, version)
    if known is None:
        fix = f"Look what there is: {mirror.uri}"
        raise ModelNotFoundError(f"model {name!r}, version {version!r}", "is not in the registry", fix)
    if _SHA256 not in known.tags:
        problem = "was not put into the registry by napari-bioseg"
        raise BrokenModelError(f"model {name!r}, version {version!r}", problem, "Choose another one")
    source = mirror.client.get_model_version_download_uri(name, known.version)
    for file in files:
        download(mirror.uri, f"{source}/data/{_KEPT}/{file}", folder)


def _logged(mirror: Mirror, model: TrainedModel) -> Any:
    """Return the logged model with these weights, one that is whole before one that broke off; None without any."""
    return min(
        _search(mirror, model),
        key=lambda found: (str(found.status) != "READY", found.creation_timestamp, found.model_id),
        default=None,
    )


def _search(mirror: Mirror, model: TrainedModel) -> Any:
    return mirror.client.search_logged_models([mirror.experiment], f"tags.`{_SHA256}` = '{model.sha256}'")


def _versions(client: Any, name: str, model: TrainedModel) -> list[int]:
    found = client.search_model_versions(f"name = '{name}' and tag.`{_SHA256}` = '{model.sha256}'")
    return sorted(int(version.version) for version in found)
