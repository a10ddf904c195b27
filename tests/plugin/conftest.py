"""Settings of the user are left alone."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOSEG_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"
