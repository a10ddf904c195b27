"""Runs to MLflow, and models from it, on the command line."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_bioseg.cli import main
from napari_bioseg.runs import Run

Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(mlflow_store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Run the command line, and return its exit code and what it prints."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bioseg", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


def test_sync_tells_what_it_did_and_the_exit_code_whether_all_is_there(
    here: Here, tmp_path: Path, mlflow_store: str
) -> None:
    for name in ("good", "bad"):
        Run(tmp_path / name).start("a: 1\n")
        Run(tmp_path / name).end("finished")
    (tmp_path / "bad" / "recipe.yaml").write_text("no: [mapping")
    code, out, err = here("sync", "--json")
    report = json.loads(out)
    assert [(run["name"], run["state"]) for run in report["runs"]] == [("good", "sent"), ("bad", "failed")]
    assert (code, report["tracking_uri"]) == (1, mlflow_store)
    assert err.splitlines()[-1].startswith("error: bad: ")
    assert "Traceback" not in err
    code, out, _ = here("sync", tmp_path / "good")
    assert code == 0
    assert "there already" in out
    assert out.endswith("0 of 1 runs sent to " + report["tracking_uri"] + "\n")


def test_what_cannot_be_done_is_one_line(here: Here) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    for arguments in (("sync",), ("import-model", "models:/cells@champion")):
        code, out, err = here(*arguments, "--tracking-uri", dead)
        assert (code, out) == (1, "")
        assert err.splitlines()[-1].startswith(f"error: {dead}: cannot be reached")
    assert "names no model" in here("import-model", "models:/a/b/c")[2]
