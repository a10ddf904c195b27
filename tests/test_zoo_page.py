"""The page of the zoo is that of the cards, and its pictures are of the shipped weights."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def check(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts" / "make_zoo.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_page_is_up_to_date() -> None:
    done = check(ROOT)
    assert done.returncode == 0, done.stderr


def test_a_changed_card_is_noticed(tmp_path: Path) -> None:
    for name in ("scripts/make_zoo.py", "docs/zoo.md", "docs/zoo.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "models", tmp_path / "models")
    shutil.copytree(ROOT / "docs" / "images", tmp_path / "docs" / "images")
    assert check(tmp_path).returncode == 0
    card = tmp_path / "models" / "cdv-yolo" / "card.yaml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("sha256: ", "sha256: 0").replace("not_for: ", "not_for: Cats, "), encoding="utf-8")
    said = check(tmp_path).stderr.splitlines()
    assert said[0] == "cdv-yolo: its picture is of other weights: python scripts/make_zoo.py cdv-yolo"
    assert said[1].endswith("is not that of the cards: python scripts/make_zoo.py --page")
