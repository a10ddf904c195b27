"""The command line as a process: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

from napari_bioseg import __version__, open_image, segment
from napari_bioseg.io.boxes import write_boxes_csv
from napari_bioseg.simulate import emccd_frames

pytestmark = pytest.mark.usefixtures("tiny_zoo")
COMMAND = [sys.executable, "-c", "from napari_bioseg.cli import main; main()"]


def bioseg(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)


Here = Callable[..., tuple[int, str]]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(
        path, np.random.default_rng(0).integers(0, 255, (3, 40, 56), dtype=np.uint8), photometric="minisblack"
    )
    return path


def test_version() -> None:
    assert bioseg("--version").stdout.strip() == __version__


def test_help_loads_neither_torch_nor_qt() -> None:
    code = (
        "import sys; sys.argv = ['bioseg', 'segment', '--help']\n"
        "from napari_bioseg.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'qtpy', 'napari', 'zarr'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert "--threshold" in done.stdout
    assert done.stderr.strip() == "[]"


def test_models_as_json(here: Here) -> None:
    code, output = here("models", "--json")
    assert code == 0
    assert "tiny2d" in [m["name"] for m in json.loads(output)["models"]]
    assert json.loads(here("models", "tiny2d", "--json")[1])["licence"] == "BSD-3-Clause"


def test_models_for_a_person(here: Here) -> None:
    assert "tiny2d" in here("models")[1]
    assert "architecture:" in here("models", "tiny2d")[1]


def test_train_evaluate_and_segment_with_the_result(here: Here, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        truth = np.zeros((48, 48), np.uint8)
        truth[8:30, 12:40] = 255
        tifffile.imwrite(tmp_path / f"{name}.tif", (truth // 2 + rng.integers(0, 60, truth.shape)).astype(np.uint8))
        tifffile.imwrite(tmp_path / f"{name}-label.tif", truth)
    pairs = [
        {"image": f"{n}.tif", "label": f"{n}-label.tif", "group": n, "use": use}
        for n, use in (("a", "train"), ("b", "test"))
    ]
    recipe = {
        "name": "squares",
        "card": {"title": "Squares", "summary": "Squares", "licence": "CC0", "data": "made", "split": "by file"},
        "architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [4, 8]}},
        "input": {"axes": "YX"},
        "classes": [{"value": 1, "name": "square"}],
        "root": str(tmp_path),
        "pairs": pairs,
        "label_values": {0: 0, 255: 1},
        "patch": [32, 32],
        "epochs": 3,
        "steps": 20,
        "learning_rate": 0.01,
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    code, output = here("train", tmp_path / "recipe.yaml", "epochs=4", "--out", tmp_path / "run", "--json")
    assert code == 0, output
    model = json.loads(output.splitlines()[-1])["model"]
    card = yaml.safe_load((Path(model) / "card.yaml").read_text(encoding="utf-8"))
    assert card["recipe"]["epochs"] == 4
    (score,) = card["scores"]
    assert score["metric"] == "dice"
    assert score["value"] > 0.8
    pair = ["--images", tmp_path / "b.tif", "--labels", tmp_path / "b-label.tif"]
    code, output = here("evaluate", "--model", model, *pair, "--metrics", "dice", "--json")
    assert json.loads(output.splitlines()[-1])["images"][0]["dice"] == pytest.approx(score["value"])
    # Without images on what the recipe tests on: the figures of the card.
    code, output = here("evaluate", "--model", model, "--json")
    assert json.loads(output.splitlines()[-1])["images"][0]["dice"] == pytest.approx(score["value"])
    code, _ = here("segment", tmp_path / "b.tif", "--model", model, "--out", tmp_path / "out.ome.zarr")
    assert code == 0
    assert (Path(model) / "README.md").read_text(encoding="utf-8").startswith("# squares")
    # A run that is there stays as it is, and it is said where the new one goes.
    code, output = here("train", tmp_path / "recipe.yaml", "epochs=1", "steps=1", "--out", tmp_path / "run")
    assert code == 0, output
    assert f"{tmp_path / 'run'} holds a run already, so this one is in {tmp_path / 'run-2'}" in output
    assert (tmp_path / "run-2" / "squares" / "card.yaml").exists()


def test_a_detector_is_evaluated_on_boxes(here: Here, tmp_path: Path) -> None:
    frames, truth = emccd_frames((5, 64, 64), 0.1, 0)
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    write_boxes_csv(tmp_path / "a.csv", truth)
    pair = ["--images", tmp_path / "a.tif", "--labels", tmp_path / "a.csv", "--axes", "TYX"]
    code, output = here("evaluate", "--model", "cdv-yolo", *pair, "--json")
    assert code == 0, output
    report = json.loads(output.splitlines()[-1])
    (scores,) = report["images"]
    assert report["f1_radius"] == 2
    assert scores["intervals"]["f1"][0] <= scores["f1"] <= scores["intervals"]["f1"][1]
    code, output = here("evaluate", "--model", "cdv-yolo", *pair)
    header, model, interval = output.splitlines()[-3:]
    assert re.split("  +", header) == ["image", "by", "map50", "map", "f1 (2 px)", "count_error"]
    assert re.split("  +", model)[4] == f"{scores['f1']:.4f}"
    assert re.split("  +", interval)[1] == "95 %"


def test_training_needs_a_recipe_or_a_run(here: Here, tmp_path: Path) -> None:
    assert here("train", "--resume", tmp_path)[0] == 1
    assert here("train")[0] == 1


def test_segment_writes_what_python_gives(stack: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.tif"
    done = bioseg("segment", stack, "--axes", "ZYX", "--model", "tiny2d", "--threshold", 0.45, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["written"] == [str(out)]
    assert "Segmenting" in done.stderr
    image = open_image(stack, axes="ZYX")
    assert np.array_equal(open_image(out).data, segment(image, model="tiny2d", threshold=0.45).labels[:])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{stack}", "--model", "tiny2d", "--out", "{tmp}/x.tif"], "--axes"),
        (["{stack}", "--axes", "ZYX", "--model", "huge", "--out", "{tmp}/x.tif"], "huge"),
        (["{stack}", "--axes", "ZYX", "--model", "tiny2d", "--out", "{tmp}/x.doc"], "x.doc"),
        (["{tmp}/none.tif", "--model", "tiny2d", "--out", "{tmp}/x.tif"], "none.tif"),
        (["{stack}", "--axes", "ZYX", "--model", "tiny2d", "--region", "Q=1", "--out", "{tmp}/x.tif"], "no axis"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_1(
    stack: Path, tmp_path: Path, arguments: list[str], said: str, here: Here
) -> None:
    code, output = here("segment", *(a.format(stack=stack, tmp=tmp_path) for a in arguments))
    assert code == 1
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert said in errors[0]
    assert not list(tmp_path.glob("x.*"))


def test_an_error_of_the_system_is_one_line_too(here: Here, stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("napari_bioseg.workflows.segmentation.save", full)
    code, output = here("segment", stack, "--axes", "ZYX", "--model", "tiny2d", "--out", stack.with_name("x.tif"))
    assert code == 1
    assert "No space left on device" in output.splitlines()[-1]


def test_open_says_what_is_wrong_before_a_window_comes(here: Here, tmp_path: Path) -> None:
    assert here("open", tmp_path / "no.tif") == (1, f"error: {tmp_path / 'no.tif'}: does not exist. Check the path\n")
    project = tmp_path / "stack.tif.bioseg"
    project.mkdir()
    (project / "project.yaml").write_text("version: 2\n")
    code, said = here("open", project)
    assert code == 1
    assert "was made by a newer napari-bioseg (format 2). Update the plugin" in said


def test_open_without_napari_says_what_to_install(here: Here, stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "napari", None)  # as Python has it where napari is not installed
    code, said = here("open", stack)
    assert code == 1
    assert said == "error: napari: is not installed here. pip install 'napari-bioseg[all]'\n"


def test_wrong_usage_is_exit_code_2(here: Here) -> None:
    assert here("segment")[0] == 2
    assert here("nothing")[0] == 2


def test_an_error_leaves_no_traceback_in_a_terminal(tmp_path: Path) -> None:
    done = bioseg("segment", tmp_path / "none.tif", "--model", "tiny2d", "--out", tmp_path / "x.tif")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_is_exit_code_130_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "long.tif"
    tifffile.imwrite(path, np.zeros((400, 256, 256), np.uint8), photometric="minisblack")
    out = tmp_path / "labels.tif"
    command = [*COMMAND, "segment", path, "--axes", "ZYX", "--model", "tiny2d", "--tile", "64", "--out", out]
    with subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Segmenting"):
                break
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode == 130
    assert not out.exists()


def test_compare_prints_a_table_for_each_score_and_the_verdict(here: Here, stack: Path, tmp_path: Path) -> None:
    truth = np.zeros((3, 40, 56), np.uint8)
    truth[:, 8:30, 12:40] = 1
    tifffile.imwrite(tmp_path / "label.tif", truth, photometric="minisblack")
    files = ("--images", stack, "--labels", tmp_path / "label.tif", "--axes", "ZYX", "--metrics", "iou")
    code, output = here("compare", "--old", "tiny2d", "--new", "tiny2d", *files)
    assert code == 0, output
    lines = [line.split() for line in output.splitlines()]
    assert ["IoU", "slice", "old", "new", "difference"] in lines
    assert sum(line[:1] == ["stack"] for line in lines) == 3
    assert "No difference can be seen with 3 slices (IoU" in output
    code, output = here("compare", "--old", "tiny2d", "--new", "tiny2d", *files, "--json")
    found = json.loads(output.splitlines()[-1])
    assert (found["differences"]["iou"]["mean"], found["differences"]["iou"]["n"]) == (0, 3)
    for wrong in ((), ("--old", "tiny2d", *files), ("--run", tmp_path, *files)):
        code, output = here("compare", *wrong)
        assert code == 1
        assert "needs a run, or two models" in output
    code, output = here("compare", "--run", tmp_path)
    assert code == 1
    assert "is no run" in output
