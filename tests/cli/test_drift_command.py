from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile
from scipy import ndimage

from napari_bioseg.simulate import vesicle_scene

Here = Callable[..., tuple[int, str]]


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    scene, _ = vesicle_scene(seed=777, shape=(1, 256, 256), scene="moderate")
    tifffile.imwrite(tmp_path / "usual.tif", scene[0])
    tifffile.imwrite(tmp_path / "blurred.tif", ndimage.gaussian_filter(scene[0], 2.0))
    return tmp_path


def test_an_image_like_the_training_is_exit_code_0(frames: Path, here: Here) -> None:
    code, said = here("drift", frames / "usual.tif", "--model", "cdv-yolo", "--axes", "YX")
    assert (code, said.strip().splitlines()[-1]) == (0, "usual: like what cdv-yolo was trained on")
    assert "KL divergence" in said


def test_an_image_unlike_it_is_exit_code_3_with_the_reason(frames: Path, here: Here) -> None:
    code, said = here("drift", frames / "blurred.tif", "--model", "cdv-yolo", "--axes", "YX")
    assert code == 3
    assert "out of focus" in said.strip().splitlines()[-1]
    code, said = here("drift", frames / "blurred.tif", "--model", "cdv-yolo", "--axes", "YX", "--json")
    found = json.loads(said[said.index("{") :])
    assert (code, found["warned"]) == (3, True)
    assert found["distances"]["snr"] > found["thresholds"]["snr"]


def test_what_cannot_be_compared_is_exit_code_1(frames: Path, here: Here, tiny_zoo: Path) -> None:
    code, said = here("drift", frames / "usual.tif", "--model", "tiny2d", "--axes", "YX")
    assert code == 1
    assert "no reference profile" in said
    assert here("drift", frames / "none.tif", "--model", "tiny2d")[0] == 1


def test_a_prediction_warns_in_one_line_and_ends_well(frames: Path, tmp_path: Path, here: Here) -> None:
    flags = ("--axes", "YX", "--out", tmp_path / "boxes.csv", "--json")
    code, said = here("detect", frames / "blurred.tif", *flags)
    (line,) = [line for line in said.splitlines() if line.startswith("warning: ")]
    assert code == 0
    assert "out of focus" in line
    assert said.index(line) < said.index("Detecting")
    report = json.loads(said[said.index("{") :])
    assert report["drift"]["causes"][0]["words"] in line
    code, said = here("detect", frames / "blurred.tif", *flags, "--no-drift")
    assert (code, "warning" in said, "Looking" in said) == (0, False, False)
