"""Versions, and models as files, on the command line."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_bioseg.cli import main
from napari_bioseg.models import load_model
from napari_bioseg.models.model import write_model

Here = Callable[..., str]


@pytest.fixture
def here(tiny_zoo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Run the command line, and return what it prints."""

    def run(*arguments: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["bioseg", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        assert (left.value.code or 0) == code, said
        return said.err if code else said.out

    return run


@pytest.fixture
def run(tiny_zoo: Path, tmp_path: Path) -> Path:
    model = load_model("tiny2d")
    with torch.no_grad():
        model.network.head.bias += 1
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("name: mine\n", encoding="utf-8")
    card = model.card.model_copy(update={"name": "mine", "recipe": {"continue_from": "tiny2d"}})
    write_model(folder / "mine", card, model.network, "# mine\n")
    return folder


def test_promote_roll_back_and_look(here: Here, run: Path) -> None:
    assert here("promote", run, "--as", "tiny2d") == "tiny2d is version 2 now; bioseg rollback tiny2d goes back\n"
    header, first, second = here("models", "tiny2d", "--versions").splitlines()
    assert header.split()[:5] == ["version", "champion", "created", "from", "scores"]
    assert first.split()[0] == "1"
    assert "*" in second
    assert "tiny2d 1.0.0" in second
    assert "parent: tiny2d" in here("models", "tiny2d@2")
    assert here("rollback", "tiny2d") == "tiny2d is version 1 now\n"
    rows = {line.split()[0]: line.split()[1] for line in here("models").splitlines()}
    assert rows["tiny2d"] == "1"
    assert here("rollback", "tiny2d", "--version", 2) == "tiny2d is version 2 now\n"


def test_out_and_in_again(here: Here, tmp_path: Path) -> None:
    out = tmp_path / "out.zip"
    assert here("export-model", "tiny2d", out) == f"{out} written\n"
    assert here("import-model", out) == "imported as tiny2d@2; use it with --model tiny2d@2\n"
    assert here("import-model", out, "--as", "other").startswith("imported as other@1")


def test_an_onnx_file_with_its_card(here: Here, make_onnx: Callable[..., Path], tmp_path: Path) -> None:
    card = tmp_path / "told.yaml"
    text = "input: {axes: YX, normalisation: {method: zscore}}\noutput: {activation: sigmoid}\nclasses: [cell]\n"
    card.write_text(text, encoding="utf-8")
    said = here("import-model", make_onnx(), "--card", card, "--as", "mine")
    assert said == "imported as mine@1; use it with --model mine@1\n"
    assert "does not say what it takes and gives" in here("import-model", make_onnx(), code=1)


def test_a_package_for_other_programs(here: Here, tmp_path: Path) -> None:
    here("export-model", "tiny2d", tmp_path / "out.zip", "--bioimageio")
    with zipfile.ZipFile(tmp_path / "out.zip") as file:
        assert "rdf.yaml" in file.namelist()


def test_json_is_one_object(here: Here, run: Path, tmp_path: Path) -> None:
    def told(*arguments: Any) -> dict[str, Any]:
        return dict(json.loads(here(*arguments, "--json")))

    card = told("promote", run, "--as", "mine")
    assert (card["model"], card["version"], card["lineage"]["parent"]) == ("mine", "2", "tiny2d")
    assert [v["champion"] for v in told("models", "mine", "--versions")["versions"]] == [False, True]
    assert told("rollback", "mine")["version"] == "1"
    out = tmp_path / "out.zip"
    assert told("export-model", "mine@2", out) == {"written": [str(out)]}
    assert told("import-model", out)["version"] == "3"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rollback", "tiny2d"], "has no versions"),
        (["promote", "nothing", "--as", "mine"], "is not in the zoo"),
        (["promote", "tiny2d", "--as", "a/b"], "cannot be that of a model"),
        (["models", "--versions"], "needs a model"),
        (["export-model", "tiny2d", "x.doc"], "is no .zip"),
        (["import-model", "none.zip"], "cannot be read"),
    ],
)
def test_a_users_error_is_one_line(here: Here, arguments: list[str], said: str) -> None:
    (line,) = [line for line in here(*arguments, code=1).splitlines() if line.startswith("error: ")]
    assert said in line
