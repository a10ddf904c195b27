from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_bioseg.cli.app import app
from napari_bioseg.workflows.batch_options import BatchOptions

Here = Callable[..., tuple[int, str]]


@pytest.fixture
def images(tmp_path: Path, tiny_zoo: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for i, name in enumerate(("a", "b")):
        values = np.random.default_rng(i).integers(0, 255, (40, 32), dtype=np.uint8)
        tifffile.imwrite(folder / f"{name}.tif", values, photometric="minisblack")
    return folder


def test_a_recipe_holds_and_flags_win_over_it(images: Path, tmp_path: Path) -> None:
    recipe = BatchOptions(model="tiny2d", axes="YX", threshold=0.2, instances=True)
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    words = ["batch", str(images), "--out", str(tmp_path / "out"), "--recipe", str(tmp_path / "recipe.yaml"), "--json"]
    result = CliRunner().invoke(app, [*words, "--threshold", "0.6"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["images"], report["done"], report["failed"]) == (2, 2, {})
    assert report["network_seconds"] > 0
    kept = (tmp_path / "out" / "run" / "recipe.yaml").read_text()
    assert "threshold: 0.6" in kept
    assert "instances: true" in kept


def test_a_failed_image_is_told_and_is_exit_code_1(images: Path, tmp_path: Path) -> None:
    (images / "b.tif").write_bytes(b"II*\0")
    words = ["batch", str(images), "--out", str(tmp_path / "out"), "--model", "tiny2d", "--axes", "YX"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "error: b: " in result.stderr
    assert "1 of 2 images done, 1 failed" in result.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["images"], "error: options: model: "),
        (["images/*.png", "--model", "tiny2d"], "error: images/*.png: no file of this pattern is there"),
        (["", "--model", "tiny2d"], "error: an input: is empty"),
        (["images", "--model", "none"], "error: model 'none': is not in the zoo"),
        (["images", "--model", "cdv-yolo", "--instances"], "error: instances: does not go with cdv-yolo"),
        (["images", "--recipe", "none.yaml"], "error: none.yaml: cannot be read"),
        (["images", "--recipe", "garbled.yaml"], "error: garbled.yaml: is not valid YAML"),
        (["images", "--recipe", "unknown.yaml"], "error: flags and unknown.yaml: nonsense: "),
        (["images", "--model", "tiny2d", "--out", "images/a.tif"], "images/a.tif: cannot be written"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Here, words: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "garbled.yaml").write_text("model: [\n")
    (tmp_path / "unknown.yaml").write_text("model: tiny2d\nnonsense: 3\n")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    code, said = here("batch", "--out", "out", *words)
    assert code == 1
    (told,) = [text for text in said.splitlines() if text.startswith("error: ")]
    assert line in told
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("words", [["--out", "out", "--model", "m"], ["images", "--model", "m"]])
def test_what_is_missing_is_wrong_usage(here: Here, words: list[str]) -> None:
    assert here("batch", *words)[0] == 2
