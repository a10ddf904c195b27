"""The guides of the documentation: their files are written and their commands run, in order."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from napari_bioseg.cli import main
from napari_bioseg.models import list_models

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "add-a-model.md"
BLOCK = re.compile(r'^```(?P<kind>\w+)(?: title="(?P<title>[\w.-]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a line of a shell that begins with bioseg, in this process, which has torch and MONAI loaded."""
    words = shlex.split(command, comments=True)
    assert words[0] == "bioseg"
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code, command


@pytest.mark.xdist_group("monai")
def test_the_guide_to_add_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BIOSEG_MODELS", str(tmp_path / "zoo"))
    monkeypatch.chdir(tmp_path)
    blocks = list(BLOCK.finditer(GUIDE.read_text(encoding="utf-8")))
    for number, block in enumerate(blocks):
        if block["title"]:
            Path(block["title"]).write_text(block["text"], encoding="utf-8")
        elif block["kind"] == "python":
            script = tmp_path / f"block{number}.py"
            script.write_text(block["text"], encoding="utf-8")
            runpy.run_path(str(script))
        else:
            for line in block["text"].splitlines():
                run(line, monkeypatch)
    said = capsys.readouterr()
    assert "halo [2, 2] and stride [1, 1] were measured" in said.err
    assert "imported as discs@1; use it with --model discs@1" in said.out
    assert {"discs", "from-bioimageio", "basic"} <= {card.name for card in list_models()}
    assert (tmp_path / "discs-found.ome.tif").read_bytes() != (tmp_path / "basic.ome.tif").read_bytes()
