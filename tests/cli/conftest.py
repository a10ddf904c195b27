"""The command line in the process of the tests."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from napari_bioseg.cli import main


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the command line in this process, which has torch loaded already."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["bioseg", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.err + said.out

    return run
