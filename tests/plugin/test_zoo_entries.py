"""What the panel "Models" shows of the zoo."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_bioseg.models.zoo import changing_family
from napari_bioseg.plugin.zoo_entries import Entry, read_entries


@pytest.fixture
def zoo(tiny_zoo: Path) -> Path:
    with changing_family("cells", tiny_zoo / "tiny2d") as family:
        family.add(tiny_zoo / "tiny3d", "promoted", champion=True)
    return tiny_zoo


def entry(name: str) -> Entry:
    return next(e for e in read_entries() if e.name == name)


def test_rows(zoo: Path) -> None:
    assert entry("cells").row == ("cells", "2 of 2", "labels, ZYX")
    assert entry("cdv-yolo").row[2] == "boxes, YX"
    assert entry("tiny2d").version_rows == []
    (first, day, score, start), (second, *_) = entry("cells").version_rows
    assert (first, score, start, second) == ("○ 1", "not measured", "tiny2d 1.0.0", "● 2")
    assert len(day) == len("2026-11-21")


def test_what_is_damaged_is_there_to_be_mended(zoo: Path) -> None:
    (zoo / "cells" / "versions" / "2" / "card.yaml").write_text("name: [", encoding="utf-8")
    found = entry("cells")
    assert found.row == ("cells", "?", "damaged")
    assert "card.yaml: is not valid YAML" in found.problem
    assert "not valid YAML" in found.version_rows[1][2]
    assert list(found.cards) == [1]
    (zoo / "cells" / "history.jsonl").unlink()
    assert entry("cells").version_rows[0][1] == ""
