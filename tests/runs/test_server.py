"""Addresses, who asks there, and whether anybody answers."""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from napari_bioseg.core import RecipeError
from napari_bioseg.runs import server
from napari_bioseg.runs.server import PASSWORD, TOKEN, USER, address, probe, signed_in


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (USER, PASSWORD, TOKEN, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BIOSEG_RUNS", str(tmp_path))


class _Guarded(SimpleHTTPRequestHandler):
    """Lets ``ann`` in with ``secret``, or who has the token ``key``; any path answers."""

    def do_GET(self) -> None:
        basic = "Basic " + base64.b64encode(b"ann:secret").decode()
        self.send_response(200 if self.headers.get("Authorization") in {basic, "Bearer key"} else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"experiments": []}).encode() if "/mlflow/" in self.path else b"<html>")


@pytest.fixture
def guarded(answering: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """Address of a server that asks for a password."""
    with answering(_Guarded) as found:
        yield found


def test_the_address_is_the_given_one_or_that_of_the_environment_or_a_store_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert address() == f"sqlite:///{tmp_path.as_posix()}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://lab:5000/")
    assert address() == "http://lab:5000"
    assert address("https://other/mlflow/") == "https://other/mlflow"


@pytest.mark.parametrize("wrong", ["http://ann:secret@lab:5000", "http://ann@lab", "./mlruns", "file:///tmp/mlruns"])
def test_what_is_no_address_or_holds_a_password_is_refused(wrong: str) -> None:
    with pytest.raises(RecipeError) as caught:
        address(wrong)
    assert "secret" not in str(caught.value)
    assert "ann" not in str(caught.value)


def test_who_has_no_password_is_told_what_to_do(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = probe(guarded)
    assert told is not None
    assert USER in told
    monkeypatch.setenv(USER, "ann")
    monkeypatch.setenv(PASSWORD, "wrong")
    assert probe(guarded) == told
    monkeypatch.setenv(PASSWORD, "secret")
    assert probe(guarded) is None
    monkeypatch.delenv(PASSWORD)
    monkeypatch.setenv(TOKEN, "key")
    assert probe(guarded) is None


@pytest.mark.parametrize(("name", "password"), [("ann", "secret"), ("token", "key")])
def test_the_keyring_is_asked_where_the_environment_is_silent(
    guarded: str, monkeypatch: pytest.MonkeyPatch, name: str, password: str
) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend
    from keyring.credentials import SimpleCredential

    class Ring(KeyringBackend):
        priority = 1

        def get_credential(self, service: str, username: str | None) -> SimpleCredential | None:
            return SimpleCredential(name, password) if service == guarded and username in {None, name} else None

        def get_password(self, service: str, username: str) -> None:
            """Is not asked."""

        def set_password(self, service: str, username: str, password: str) -> None:
            """Nothing is kept."""

        def delete_password(self, service: str, username: str) -> None:
            """Nothing is kept."""

    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    try:
        assert probe(guarded) is None
        monkeypatch.setenv(USER, "bob")
        assert probe(guarded) is not None
        with signed_in(guarded):
            assert os.environ[USER] == "bob"
        monkeypatch.delenv(USER)
        with signed_in(guarded):
            assert password in (os.environ.get(PASSWORD), os.environ.get(TOKEN))
        # Nothing of it stays for what is started afterwards.
        assert not {USER, PASSWORD, TOKEN} & set(os.environ)
        monkeypatch.setenv(PASSWORD, "mine")
        with signed_in(guarded):
            assert (os.environ[PASSWORD], os.environ.get(TOKEN), os.environ.get(USER)) == ("mine", None, None)
    finally:
        keyring.set_keyring(before)


def test_a_keyring_that_stays_locked_is_none(guarded: str) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        assert USER in str(probe(guarded))
    finally:
        keyring.set_keyring(before)


def test_nobody_there_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "cannot be reached" in str(probe(f"http://127.0.0.1:{port}"))


def test_a_server_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_PATIENCE", (0.2, 0.2))
    # It takes the call, and never says a word.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer" in str(probe(f"http://127.0.0.1:{silent.getsockname()[1]}"))


def test_a_server_of_something_else_is_told(served: tuple[Path, str]) -> None:
    folder, uri = served
    assert "HTTP 404" in str(probe(uri))
    page = folder / "api" / "2.0" / "mlflow" / "experiments"
    page.mkdir(parents=True)
    (page / "search").write_text("<html>")
    assert "no MLflow server" in str(probe(uri))


def test_a_local_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    assert probe(f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}") is None
    (tmp_path / "file").write_text("")
    assert "cannot be written" in str(probe(f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}"))
    (tmp_path / "other.db").write_text("no database, and long enough to be told so" * 50)
    assert "not a database" in str(probe(f"sqlite:///{tmp_path / 'other.db'}"))
