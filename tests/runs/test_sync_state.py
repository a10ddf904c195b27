"""What a run knows of its mirrors."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_bioseg.runs.sync_state import note_sync, read_sync


def test_each_server_has_its_own_state(tmp_path: Path) -> None:
    note_sync(tmp_path, "http://one", "failed", why="disk full")
    note_sync(tmp_path, "http://two", "synced", digest="d", page="http://two/#/1")
    one, two = (read_sync(tmp_path)[f"http://{name}"] for name in ("one", "two"))
    assert (one.state, one.why, two.state, two.digest, two.page) == (
        "failed", "disk full", "synced", "d", "http://two/#/1",
    )  # fmt: skip
    note_sync(tmp_path, "http://one", "synced")
    assert [state.state for state in read_sync(tmp_path).values()] == ["synced", "synced"]


@pytest.mark.parametrize("text", ["{", "[]", '{"http://one": 3}', '{"http://one": {"state": "lost", "when": ""}}'])
def test_what_is_damaged_counts_as_never_sent(tmp_path: Path, text: str) -> None:
    (tmp_path / "sync.json").write_text(text)
    assert read_sync(tmp_path) == {}
    note_sync(tmp_path, "http://one", "synced")
    assert read_sync(tmp_path)["http://one"].state == "synced"
