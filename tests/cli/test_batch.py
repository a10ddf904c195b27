from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from napari_bioseg.cli.app import app
from napari_bioseg.workflows.batch_options import BatchOptions


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
