"""Where runs are mirrored to: an address, who asks there, and whether anybody answers. Knows nothing of MLflow."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.runs.register import data_folder

USER, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
_ASKED = "/api/2.0/mlflow/experiments/search"
_PATIENCE = (3.0, 10.0)  # seconds: to be there, to answer
_TRY = "Check the address, and that the server runs; what is here is kept, sync again later"
_signing_in = threading.RLock()


def address(uri: str | None = None) -> str:
    """Return the address to mirror to: the given one, that of ``MLFLOW_TRACKING_URI``, or the local store.

    Raises
    ------
    RecipeError
        It holds a password, or is one of MLflow's stores of plain files, which are no longer written to.
    """
    found = (uri or os.environ.get("MLFLOW_TRACKING_URI") or local_store()).rstrip("/")
    parts = urlsplit(found)
    if parts.password or parts.username:
        raise RecipeError(
            found.replace(f"{parts.netloc.rpartition('@')[0]}@", ""),
            "its address must not hold a password, since it is written to files",
            f"Set {USER} and {PASSWORD}, or use the keyring",
        )
    if parts.scheme in {"", "file"}:
        fix = "Write http://SERVER:PORT, or sqlite:////FOLDER/mlflow.db"
        raise RecipeError(found, "is no address of a tracking server", fix)
    return found


def local_store() -> str:
    """Return the address of the store in the user's data folder, which needs no server."""
    return f"sqlite:///{(data_folder() / 'mlflow' / 'mlflow.db').as_posix()}"


def local_folder(uri: str) -> Path | None:
    """Return the folder of a store in a local file; None where a server is asked."""
    return Path(uri.removeprefix("sqlite:///")).absolute().parent if uri.startswith("sqlite:///") else None


def is_server(uri: str) -> bool:
    """Whether an address is one that answers by HTTP."""
    return uri.startswith(("http://", "https://"))


def probe(uri: str) -> str | None:
    """Ask whether a server, or a local store, would take runs; at most some seconds.

    A server is not asked for ``/health``, which answers also those whose password is wrong, and which not each has.

    Returns
    -------
    str or None
        What is wrong, in words; None where nothing is, and for databases elsewhere.
    """
    import requests

    folder = local_folder(uri)
    if folder is not None:
        return _probe_file(uri, folder)
    if not is_server(uri):
        return None
    with signed_in(uri):
        try:
            answer = requests.get(uri + _ASKED, params={"max_results": 1}, timeout=_PATIENCE, **_identity())
        except requests.exceptions.SSLError:
            return "its certificate cannot be checked. Set MLFLOW_TRACKING_SERVER_CERT_PATH to the file that can"
        except requests.exceptions.Timeout:
            return f"does not answer. {_TRY}"
        except requests.exceptions.RequestException:
            return f"cannot be reached. {_TRY}"
    return refused(answer.status_code) or (None if _is_json(answer) else f"is no MLflow server. {_TRY}")


def refused(status: int) -> str | None:
    """Return what an HTTP status says of why a server refuses; None where it does not."""
    if status in {401, 403}:
        return f"does not take this user and password. Set {USER} and {PASSWORD}, or {TOKEN}, or use the keyring"
    return f"refuses (HTTP {status}). {_TRY}" if status >= 400 else None


@contextmanager
def signed_in(uri: str) -> Iterator[None]:
    """Have user and password of the system's keyring in the environment, where there are none: MLflow reads them there.

    The keyring is asked for the address as it is written, without a slash at its end.
    """
    with _signing_in:
        found = {} if TOKEN in os.environ or PASSWORD in os.environ or not is_server(uri) else _from_keyring(uri)
        before = {name: os.environ.get(name) for name in found}
        os.environ.update(found)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


def _probe_file(uri: str, folder: Path) -> str | None:
    # MLflow would try for hours to open what cannot be opened.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(uri.removeprefix("sqlite:///"), timeout=_PATIENCE[0])) as file:
            file.execute("BEGIN IMMEDIATE")
    except (OSError, sqlite3.Error) as error:
        return f"cannot be written ({error}). Check free space and permissions, or give another address"
    return None


def _from_keyring(uri: str) -> dict[str, str]:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return {}
    try:
        kept = keyring.get_credential(uri, os.environ.get(USER))
    except KeyringError:  # there is none on this machine, or it stays locked
        return {}
    if kept is None or not kept.password:
        return {}
    return {TOKEN: kept.password} if kept.username == "token" else {USER: kept.username, PASSWORD: kept.password}


def _identity() -> dict[str, Any]:
    """Return what `requests` must be told so that it asks as MLflow will."""
    user, password, token = (os.environ.get(name) for name in (USER, PASSWORD, TOKEN))
    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in {"true", "1"}
    told: dict[str, Any] = {"verify": os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not insecure}
    if user and password:
        return told | {"auth": (user, password)}
    return told | ({"headers": {"Authorization": f"Bearer {token}"}} if token else {})


def _is_json(answer: Any) -> bool:
    try:
        return isinstance(answer.json(), dict)
    except ValueError:
        return False
