"""What of a run goes to a tracking server."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np

from napari_bioseg.runs import Run
from napari_bioseg.runs.contents import Contents, read_contents

T = "2026-01-02T03:04:05+00:00"
MS = 1767323045000


def contents(folder: Path, recipe: str = "a: 1\n", lines: tuple[dict[str, object], ...] = (), **changes) -> Contents:
    run = Run(folder)
    if run.info is None:
        run.start(recipe, tags={"image": "a.tif"})
    for line in lines:
        run.log(**{"time": T, **line})
    given = {"files": {"recipe.yaml": folder / "recipe.yaml", "none": folder / "none"}, "tags": {}, "pictures": {}}
    return read_contents(folder, run.adopt("running"), **(given | changes))


def test_a_recipe_is_flat(tmp_path: Path) -> None:
    recipe = "net: {name: unet, widths: [2, 4], none: null}\nempty: ''\nflag: true\nµm/px: 0.5\n'a\"b(c)': x\nlong: "
    params = contents(tmp_path, recipe + "x" * 900).params
    assert params.pop("long") == "x" * 499 + "…"
    assert params == {
        "net.name": "unet", "net.widths": "[2, 4]", "net.none": "null", "empty": "-", "flag": "true", "µm/px": "0.5",
        "a_b_c_": "x",
    }  # fmt: skip


def test_numbers_of_lines_are_curves_with_their_own_time_and_step(tmp_path: Path) -> None:
    lines = (
        {"epoch": 1, "loss": 0.5, "held_out": None, "device": "cpu", "system": {"cpu": 3}, "good": True},
        {"test": "b.tif", "scores": {"dice": 0.8}, "intervals": {"dice": [0.7, 0.9]}},
        {"epoch": 2, "loss": float("inf")},
        {"test": "c.tif", "scores": {"dice": 0.9}},
    )
    found = contents(tmp_path, lines=lines)
    points = [(p.key, p.value, p.step) for p in found.points()]
    assert points[:3] == [("loss", 0.5, 1), ("system/cpu", 3, 1), ("test/scores/dice", 0.8, 0)]
    assert points[4:] == [("test/scores/dice", 0.9, 1)]
    assert (points[3][0], points[3][2], math.isnan(points[3][1])) == ("loss", 2, True)
    assert {p.time for p in found.points()} == {MS}
    # What is new alone: steps are those that all lines give.
    assert [(p.value, p.step) for p in found.points(after=3)] == [(0.9, 1)]


def test_tags_say_what_it_is(tmp_path: Path) -> None:
    lines = ({"device": "cpu"}, {"device": "cuda"}, {"device": "cuda"})
    tags = contents(tmp_path, lines=lines, tags={"scores": "dice\n0.9"}).tags
    assert tags == {
        "bioseg.image": "a.tif", "bioseg.version": tags["bioseg.version"], "bioseg.scores": "dice 0.9",
        "bioseg.device": "cpu, cuda", "bioseg.kind": "training", "bioseg.status": "running", "bioseg.why": "",
    }  # fmt: skip
    assert tags["bioseg.version"][0].isdigit()


def test_a_copy_has_the_same_digest_and_any_change_another(tmp_path: Path) -> None:
    first = contents(tmp_path / "a", lines=({"epoch": 1, "loss": 0.5},))
    assert list(first.files) == ["recipe.yaml"]
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    known = {first.digest}
    assert contents(tmp_path / "b").digest in known
    picture = {"a.png": np.zeros((4, 4, 3), np.uint8)}
    changed = [contents(tmp_path / "b", tags={"x": "y"}), contents(tmp_path / "b", pictures=picture)]
    (tmp_path / "b" / "recipe.yaml").write_text("a:  1\n")
    changed.append(contents(tmp_path / "b"))
    changed.append(contents(tmp_path / "a", lines=({"epoch": 2},)))
    Run(tmp_path / "a").end("finished")
    changed.append(contents(tmp_path / "a"))
    digests = known | {c.digest for c in changed}
    assert len(digests) == 6


def test_the_stamp_of_fewer_lines_is_that_of_the_run_as_it_was(tmp_path: Path) -> None:
    before = contents(tmp_path, lines=({"epoch": 1}, {"epoch": 2})).stamp()
    after = contents(tmp_path, lines=({"epoch": 3},))
    assert after.stamp(2) == before
    assert after.stamp() != before
    assert before.startswith("2:")
    Run(tmp_path).keep_metrics(lambda line: line["epoch"] != 2)
    assert contents(tmp_path).stamp(2) != before


def test_the_last_time_is_that_of_the_last_line_or_of_the_end(tmp_path: Path) -> None:
    late = "2099-01-01T00:00:00+00:00"
    assert contents(tmp_path, lines=({"time": late},)).until == late
    path = tmp_path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"ended": "2100-01-01T00:00:00+00:00"}))
    assert contents(tmp_path).until == "2100-01-01T00:00:00+00:00"
