"""From a run into the zoo, and back to what was before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_bioseg.core import BrokenModelError, Job, ModelNotFoundError, RecipeError
from napari_bioseg.core.errors import UnreadableFileError
from napari_bioseg.core.files import file_sha256
from napari_bioseg.models import find_model, list_models, load_model, read_card
from napari_bioseg.models.model import write_model
from napari_bioseg.models.versions import Family
from napari_bioseg.workflows.promotion import promote, roll_back, versions

SHIPPED = "membranes-unet2d"
DIFFERENCE = {"metric": "dice", "old": 0.8, "new": 0.84, "mean": 0.04, "low": 0.02, "high": 0.06, "n": 6, "groups": 1}
COMPARISON = {
    "version": 1,
    "old": "tiny2d",
    "new": "mine",
    "metrics": ["dice"],
    "unit": "slice",
    "rows": [],
    "differences": {"dice": DIFFERENCE},
    "verdict": "better by 0.04 Dice",
    "original": None,
    "regions": [],
}

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tiny_zoo: Path, tmp_path: Path) -> MakeRun:
    """Return how to make a run as a training leaves it; each has other weights."""
    import torch

    def make(name: str, start: str | None = "tiny2d") -> Path:
        run, model = tmp_path / "runs" / name, load_model(start or "tiny2d")
        run.mkdir(parents=True)
        (run / "recipe.yaml").write_text("name: mine\n", encoding="utf-8")
        (run / "training_set.json").write_text('{"version": 1, "projects": []}', encoding="utf-8")
        (run / "comparison.json").write_text(json.dumps(COMPARISON), encoding="utf-8")
        with torch.no_grad():
            model.network.head.bias += sum(name.encode())
        recipe = {"continue_from": str(find_model(start))} if start else {}
        card = model.card.model_copy(update={"name": "mine", "version": "1.0.0", "recipe": recipe, "lineage": None})
        write_model(run / "mine", card, model.network, "# mine\n")
        return run

    return make


def test_a_run_becomes_the_champion_with_its_lineage(make_run: MakeRun, tiny_zoo: Path) -> None:
    run = make_run("first")
    card = promote(run, "mine")
    assert (card.name, card.version) == ("mine", "2")
    assert read_card(find_model("mine")) == card
    lineage = card.lineage
    assert lineage is not None
    parent = read_card(tiny_zoo / "tiny2d")
    assert lineage.origin == "tiny2d 1.0.0"
    assert lineage.parent_sha256 == parent.sha256 == read_card(find_model("mine@1")).sha256
    assert (lineage.run, lineage.data_sha256) == ("first", file_sha256(run / "training_set.json"))
    assert lineage.comparison["verdict"] == "better by 0.04 Dice"
    assert lineage.comparison["differences"]["dice"]["low"] == 0.02
    readme = (find_model("mine") / "README.md").read_text(encoding="utf-8")
    assert f"- Made from: tiny2d 1.0.0 (sha256 {parent.sha256[:12]}…)\n- In the run: first (sha256" in readme
    assert "- Compared with what it was made from: better by 0.04 Dice\n" in readme
    assert load_model("mine").card.sha256 == load_model(run / "mine").card.sha256


def test_one_goes_back_and_forth_and_nothing_is_overwritten(make_run: MakeRun) -> None:
    promote(make_run("first"), "mine")
    promote(make_run("second", "mine"), "mine")
    kept = {p: p.read_bytes() for p in find_model("mine@1").parent.rglob("*") if p.is_file()}
    assert roll_back("mine").version == "2"
    assert roll_back("mine", 1).version == "1"
    assert read_card(find_model("mine")).lineage.origin == "tiny2d 1.0.0"
    assert roll_back("mine").version == "2"
    assert {p: p.read_bytes() for p in kept} == kept
    first, second, third = versions("mine")
    assert (first.version, second.version, third.version) == (1, 2, 3)
    assert [v.champion for v in (first, second, third)] == [False, True, False]
    assert third.parent == "mine 2"
    assert third.verdict == "better by 0.04 Dice"
    assert third.scores == "not measured"
    assert first.created.endswith("+00:00")
    path = find_model("mine@1").parents[1] / "history.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps({**e, "time": str(i)}) + "\n" for i, e in enumerate(lines)), encoding="utf-8")
    assert [v.created for v in versions("mine")] == ["0", "1", "2"]


def test_a_shipped_model_is_hidden_and_can_be_had_again(make_run: MakeRun) -> None:
    promote(make_run("first", SHIPPED), SHIPPED)
    assert next(c.version for c in list_models() if c.name == SHIPPED) == "2"
    text = (find_model(SHIPPED) / "README.md").read_text(encoding="utf-8")
    assert (
        "Make it again: `bioseg train recipe.yaml`, with the `recipe.yaml` of its run" in text
    )  # not the shipped one's
    assert len(versions(SHIPPED)) == 2  # the shipped one is parent and namesake, and copied once
    assert roll_back(SHIPPED, 1).lineage.origin == f"{SHIPPED} 1.0.0"
    assert load_model(SHIPPED).card.version == "1"


def test_both_the_namesake_and_the_parent_can_be_had_again(make_run: MakeRun) -> None:
    promote(make_run("first"), "tiny3d")
    assert [v.parent for v in versions("tiny3d")] == ["tiny3d 1.0.0", "tiny2d 1.0.0", "tiny2d 1.0.0"]


def test_promoting_twice_makes_one_version(make_run: MakeRun) -> None:
    run, job = make_run("first"), Job()
    promote(run, "mine")
    roll_back("mine", 1)
    assert promote(run / "mine", "mine", job=job).version == "2"
    assert len(versions("mine")) == 2
    assert "version 2 is the champion now" in job.notes[0]


def test_a_model_whose_parent_is_gone_is_promoted_all_the_same(make_run: MakeRun, tiny_zoo: Path) -> None:
    run, job = make_run("first"), Job()
    shutil.rmtree(tiny_zoo / "tiny2d")
    lineage = promote(run, "mine", job=job).lineage
    assert lineage is not None
    assert (lineage.origin, lineage.parent_sha256) == ("tiny2d", "")
    assert len(versions("mine")) == 1
    assert "is no version to go back to" in job.notes[0]


def test_a_model_without_parent_is_version_1(make_run: MakeRun) -> None:
    assert promote(make_run("first", None), "mine").version == "1"


def test_what_cannot_be_promoted_is_told_and_leaves_nothing(make_run: MakeRun, tiny_zoo: Path) -> None:
    run = make_run("first")
    with pytest.raises(RecipeError, match="cannot be that of a model"):
        promote(run, "a@b")
    (run / "comparison.json").write_text("{", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="Compare again"):
        promote(run, "mine")
    weights = run / "mine" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(BrokenModelError, match="sha256"):
        promote(run, "mine")
    shutil.rmtree(run / "mine")
    with pytest.raises(ModelNotFoundError, match="bioseg train --resume"):
        promote(run, "mine")
    assert not (tiny_zoo / "mine").exists()


def test_a_damaged_version_does_not_become_the_champion(make_run: MakeRun) -> None:
    promote(make_run("first"), "mine")
    (find_model("mine@1") / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(BrokenModelError, match="sha256"):
        roll_back("mine", 1)
    assert read_card(find_model("mine")).version == "2"
    (find_model("mine@1") / "card.yaml").write_text("name: [", encoding="utf-8")
    assert "not valid YAML" in versions("mine")[0].scores


def test_versions_are_seen_where_no_champion_is_known(make_run: MakeRun, tiny_zoo: Path) -> None:
    promote(make_run("first"), "mine")
    (tiny_zoo / "mine" / "aliases.yaml").unlink()
    assert [v.champion for v in versions("mine")] == [False, False]
    roll_back("mine", 2)
    assert [v.champion for v in versions("mine")] == [False, True]


def test_rolling_back_asks_for_versions(tiny_zoo: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="'tiny2d': has no versions"):
        roll_back("tiny2d")
    assert not Family(tiny_zoo / "tiny2d").versions


def test_a_run_goes_on_from_its_own_parent_when_a_family_has_grown_around_it(make_run: MakeRun, tiny_zoo: Path) -> None:
    first, second = make_run("first"), make_run("second")
    promote(first, "tiny2d")
    assert read_card(find_model("tiny2d")).version == "2"
    lineage = promote(second, "tiny2d").lineage
    assert lineage is not None
    assert lineage.parent_sha256 == read_card(tiny_zoo / "tiny2d").sha256
