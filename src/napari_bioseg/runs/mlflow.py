"""What is asked of MLflow: the only module that imports it. `mirror` and `registry` say in which order."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import requests

from napari_bioseg.core.errors import BiosegError, MissingDependencyError, ServerError, UnwritableFileError
from napari_bioseg.runs.contents import Point
from napari_bioseg.runs.info import one_line
from napari_bioseg.runs.server import local_folder, probe, signed_in
from napari_bioseg.runs.trained_model import TrainedModel

_ENVIRONMENT = {
    # Without these two, a server that is gone holds the caller for four minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # seconds
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_NEEDED = ("mlflow", "sqlalchemy", "alembic")  # of which MLflow may be installed without the others
_PARAMS, _METRICS = 100, 1000  # that a server takes at once
_LOADER = "napari_bioseg.workflows.served_model"
_BOX = {"image": "long", "y": "double", "x": "double", "height": "double", "width": "double", "confidence": "double"}


@contextmanager
def connected(uri: str) -> Iterator[Any]:
    """Yield an ``MlflowClient``, signed in; what goes wrong in the block is told as by `told`.

    Raises
    ------
    MissingDependencyError
        MLflow is not installed.
    ServerError, UnwritableFileError
        As for `told`.
    """
    if not all(find_spec(name) for name in _NEEDED):
        raise MissingDependencyError("mlflow", "is not installed here", "pip install 'napari-bioseg[mlflow]'")
    with signed_in(uri):
        # Before MLflow is loaded, which takes seconds, and would try for minutes, or for hours with a local store.
        if problem := probe(uri):
            raise ServerError(uri, problem)
        with _importing():
            client_class = _load()
        with told(uri), _importing():
            yield client_class(tracking_uri=uri, registry_uri=uri)


@contextmanager
def _importing() -> Iterator[None]:
    # MLflow loads its parts when they are first needed, and some do not go with each version of what they need.
    try:
        yield
    except BiosegError:
        raise
    except ImportError as error:
        problem, fix = f"cannot be loaded ({one_line(str(error))})", "pip install --upgrade 'napari-bioseg[mlflow]'"
        raise MissingDependencyError("mlflow", problem, fix) from error


@contextmanager
def told(uri: str) -> Iterator[None]:
    """Turn what MLflow says went wrong in the block into one line.

    Raises
    ------
    ServerError
        The server, or the local store, is not there, refuses, or breaks off.
    UnwritableFileError
        A file cannot be written here.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except BiosegError:
        raise
    except (MlflowException, SQLAlchemyError, requests.RequestException) as error:
        raise ServerError(uri, probe(uri) or f"does not take it ({one_line(str(error))})") from error
    except OSError as error:
        problem = f"cannot be read or written ({error.strerror or error})"
        raise UnwritableFileError(str(error.filename or uri), problem, "Check free space and permissions") from error


def experiment_id(client: Any, uri: str, name: str) -> str:
    """Return the id of an experiment, which is made where there is none.

    Raises
    ------
    ServerError
        It lies in the trash of the server.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        # Without it, MLflow puts what belongs to a local store under the folder that one happens to be in.
        folder = local_folder(uri)
        try:
            where = (folder / "artifacts").as_uri() if folder else None
            return str(client.create_experiment(name, where, {"mlflow.experimentKind": "custom_model_development"}))
        except MlflowException:
            found = client.get_experiment_by_name(name)  # another machine was quicker
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        fix = f"Take it out: mlflow experiments restore --experiment-id {found.experiment_id}"
        raise ServerError(uri, f"its experiment {name!r} is in the trash", fix)
    return str(found.experiment_id)


def log_params(client: Any, run: str, params: Mapping[str, str]) -> None:
    """Write parameters; the same ones may come again."""
    from mlflow.entities import Param

    for part in _parts([Param(name, value) for name, value in params.items()], _PARAMS):
        client.log_batch(run, params=part)


def log_points(client: Any, run: str, points: Sequence[Point]) -> None:
    """Write values of curves; the same ones may come again, and are there once."""
    from mlflow.entities import Metric

    for part in _parts([Metric(p.key, p.value, p.time, p.step) for p in points], _METRICS):
        client.log_batch(run, metrics=part)


def set_tags(client: Any, run: str, tags: Mapping[str, str]) -> None:
    """Write tags, in place of those of their names."""
    from mlflow.entities import RunTag

    for part in _parts([RunTag(name, value) for name, value in tags.items()], _PARAMS):
        client.log_batch(run, tags=part)


def link_model(client: Any, run: str, model: str) -> None:
    """Have a run show a model as what it made; once."""
    from mlflow.entities import LoggedModelOutput

    outputs = client.get_run(run).outputs
    if model not in {made.model_id for made in (outputs.model_outputs if outputs else ())}:
        client.log_outputs(run, [LoggedModelOutput(model, 0)])


def write_pyfunc(model: TrainedModel, kept: Path, folder: Path, *, model_id: str, run: str | None) -> None:
    """Write a model folder as MLflow serves it: a loader of ours, with what it takes and gives, and an example.

    Parameters
    ----------
    model : TrainedModel
    kept : Path
        Folder with the files of the model alone.
    folder : Path
        Is made.
    model_id, run : str
        Of MLflow.
    """
    from mlflow import pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    from napari_bioseg import __version__

    shape = (-1,) * (1 + len(model.axes))
    gives = (
        [ColSpec(kind, name) for name, kind in _BOX.items()] if model.boxes else [TensorSpec(np.dtype("uint32"), shape)]
    )
    pyfunc.save_model(
        folder,
        loader_module=_LOADER,
        data_path=str(kept),
        mlflow_model=Model(model_uuid=model_id, model_id=model_id, run_id=run),
        signature=ModelSignature(Schema([TensorSpec(np.dtype("float32"), shape)]), Schema(gives)),
        input_example=_example(model.axes),
        pip_requirements=[f"napari-bioseg=={__version__}"],
    )


def download(uri: str, source: str, folder: Path) -> None:
    """Download one file of a model to a folder."""
    from mlflow.artifacts import download_artifacts

    download_artifacts(artifact_uri=source, dst_path=str(folder), tracking_uri=uri)


def ensure_registered(client: Any, name: str, summary: str) -> None:
    """Make a registered model, where there is none of that name."""
    from mlflow.exceptions import MlflowException

    if client.search_registered_models(f"name = '{name}'"):
        return
    try:
        client.create_registered_model(name, description=summary)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # else another machine was quicker
            raise


def find_version(client: Any, name: str, version: str) -> Any:
    """Return a version of a registered model by its number or alias; None where there is none."""
    from mlflow.exceptions import MlflowException

    find = client.get_model_version if version.isdecimal() else client.get_model_version_by_alias
    try:
        return find(name, version)
    except MlflowException as error:
        # So it answers for an alias that is not there.
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def _load() -> Any:
    """Return the class of MLflow's client."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return MlflowClient


def _parts(items: list[Any], most: int) -> Iterator[list[Any]]:
    for first in range(0, len(items), most):
        yield items[first : first + most]


def _example(axes: str) -> npt.NDArray[np.float32]:
    """Return a small array that any model takes, ``(1, Y, X)`` or ``(1, Z, Y, X)``."""
    shape = (1, *((8, 32, 32) if axes == "ZYX" else (32, 32)))
    return np.random.default_rng(0).random(shape, np.float32).round(3)
