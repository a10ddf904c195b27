"""What is verified in projects is frozen, weighed and never mixed with what is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_bioseg.core import Cancelled, IncompatibleImageError, Job, Progress, RecipeError, UnreadableFileError
from napari_bioseg.corrections.corrected import find_corrected
from napari_bioseg.corrections.held_out import read_held_out
from napari_bioseg.corrections.journal import Journal, read_journal
from napari_bioseg.corrections.project import open_project, read_project
from napari_bioseg.corrections.records import Verify
from napari_bioseg.runs import Run
from napari_bioseg.training.check import check_recipe
from napari_bioseg.training.loop import fit
from napari_bioseg.training.pairs import load_samples
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.training_set import MANIFEST, FrozenPair, freeze, open_frozen, read_manifest

MakeRecipe = Callable[..., Recipe]
MakeProject = Callable[..., Path]
PART = (slice(1, 2), slice(8, 40), slice(4, 36))


@pytest.fixture
def make(make_recipe: MakeRecipe) -> MakeRecipe:
    """Return how to make a recipe that learns from one project."""

    def recipe(folder: Path, use: str = "auto", pair: dict[str, Any] | None = None, **changes: Any) -> Recipe:
        pairs = [{"project": folder.name, "use": use, **(pair or {})}]
        return make_recipe(**{"pairs": pairs, "label_values": {}, **changes})

    return recipe


def _weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return list(network.state_dict().values())


def _same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(_weights(a), _weights(b), strict=True))


def test_one_verified_slice_trains_and_what_is_not_verified_changes_no_bit(
    make: MakeRecipe, make_project: MakeProject, tmp_path: Path
) -> None:
    moving = {"rotation": 90, "zoom": 0.4, "elastic": 8}
    losses = {"bce": 1.0, "dice": 1.0, "cldice": 1.0}
    found = []
    for name, garbage in {"x": 0, "y": 1, "z": 77}.items():
        recipe = make(make_project(name, [PART], garbage), augmentation=moving, losses=losses)
        found.append(fit(recipe, Run(tmp_path / f"run-{name}")))
        # Nor does the checksum hang on it.
        with np.load(tmp_path / f"run-{name}" / "training_set" / "1-train.npz") as copy:
            assert not copy["labels"][~copy["verified"]].any()
    assert _same(found[0], found[1])
    assert _same(found[0], found[2])
    start = make(tmp_path / "x.tif.bioseg", augmentation=moving, losses=losses, learning_rate=0, weight_decay=0)
    assert not _same(found[0], fit(start, Run(tmp_path / "still")))


def test_it_learns_from_three_verified_slices(make: MakeRecipe, make_project: MakeProject, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    fit(make(make_project("x", [0, 1, 2]), epochs=6, steps=15, learning_rate=0.01), run)
    losses = [m["loss"] for m in run.metrics()]
    assert losses[-1] < 0.4 * losses[0]


@pytest.mark.parametrize("again", [False, True])
def test_a_resumed_training_ends_at_the_same_weights_whatever_is_corrected_meanwhile(
    make: MakeRecipe, make_project: MakeProject, tmp_path: Path, again: bool
) -> None:
    folder = make_project("x", [PART, 3], 1)
    recipe = make(folder, epochs=2, corrected_weight=3)
    whole = fit(recipe, Run(tmp_path / "whole"))

    def stop(progress: Progress) -> None:
        if progress.message.startswith("Training") and progress.done == recipe.steps + 1:
            job.cancel()

    job = Job(stop)
    with pytest.raises(Cancelled):
        fit(recipe, Run(tmp_path / "broken"), job=job)
    if again:
        _verify(folder, 3, on=False)
    assert _same(whole, fit(recipe, Run(tmp_path / "broken")))


def _verify(folder: Path, *planes: int, on: bool = True) -> None:
    saved = find_corrected(read_project(folder))
    with Journal.resume(saved.journal, read_journal(saved.journal), on_problem=_fail) as journal:
        for plane in planes:
            journal.append(Verify((slice(plane, plane + 1), slice(0, 48), slice(0, 48)), on))


def _fail(error: Exception) -> None:
    raise error


def test_the_manifest_says_what_was_taken_and_is_the_same_every_time(
    make: MakeRecipe, make_project: MakeProject, tmp_path: Path
) -> None:
    recipe = make(make_project("x", [0, PART, 2, 4]))
    texts = []
    for name in ("one", "two"):
        freeze(recipe, Run(tmp_path / name).folder)
        texts.append((tmp_path / name / MANIFEST).read_text())
    assert texts[0] == texts[1]
    (entry,) = json.loads(texts[0])["projects"]
    assert (entry["prediction"], entry["records"]) == ("001-x", 8)
    assert entry["image"]["absolute"] == str(tmp_path / "x.tif")
    assert entry["verified"][1] == {"plane": [1], "boxes": [[8, 40, 4, 36]]}
    assert (entry["train"]["planes"], entry["held_out"]["planes"]) == ([0, 1, 2], [4])
    assert entry["train"]["pixels"] == 2 * 48 * 48 + 32 * 32
    assert 0 < entry["train"]["changed"] < entry["train"]["pixels"]
    assert entry["train"]["sha256"] != entry["held_out"]["sha256"]
    assert entry["note"] == "x.tif.bioseg: plane 4 held out, 3 trained on"


def test_pixels_weigh_as_asked_and_only_where_they_are_verified(
    make: MakeRecipe, make_project: MakeProject, tmp_path: Path
) -> None:
    recipe = freeze(make(make_project("x", [PART]), corrected_weight=5), Run(tmp_path / "run").folder)
    (pair,) = recipe.pairs
    assert isinstance(pair, FrozenPair)
    _, target, weight = open_frozen(recipe, pair)
    assert target.shape == (1, 48, 48)
    known = np.zeros((1, 48, 48), bool)
    known[0][PART[1:]] = True
    assert np.array_equal(target >= 0, known)
    # All was predicted as background, so that a person changed just the foreground.
    assert np.array_equal(weight, np.select([target == 1, target == 0], [5, 1], 0))
    volume = recipe.model_copy(update={"input": recipe.input.model_copy(update={"axes": "ZYX"}), "patch": (2, 32, 32)})
    image, whole, _ = open_frozen(volume, pair)
    assert image.shape == whole.shape == (6, 48, 48)
    assert np.array_equal(whole[1], target[0])
    assert (whole[[0, 2, 3, 4, 5]] == -1).all()


def test_a_project_is_read_while_a_window_has_it_open(
    make: MakeRecipe, make_project: MakeProject, tmp_path: Path
) -> None:
    folder = make_project("x", [1])
    with open_project(folder) as window:
        assert window.writable
        freeze(make(folder), Run(tmp_path / "one").folder)
        assert window.writable
    reading = read_project(folder)
    with open_project(folder) as window:
        assert (window.writable, reading.writable) == (True, False)


def test_three_rounds_keep_what_is_held_out(make: MakeRecipe, make_project: MakeProject, tmp_path: Path) -> None:
    folder = make_project("x", [0])
    taken = []
    for number, more in enumerate([(), (1, 2, 3), (4, 5)]):
        _verify(folder, *more)
        freeze(make(folder), Run(tmp_path / str(number)).folder)
        (entry,) = read_manifest(tmp_path / str(number))
        taken.append([entry[part] and entry[part]["planes"] for part in ("train", "held_out")])
    assert taken == [[[0], None], [[0, 1], [3]], [[0, 1, 5], [3]]]
    assert read_held_out(folder).planes == (3,)
    _verify(folder, 3, on=False)
    freeze(make(folder), Run(tmp_path / "last").folder)
    assert "nothing that is held out is verified any more" in read_manifest(tmp_path / "last")[0]["note"]


def test_objects_are_one_class_and_refused_where_there_are_several(
    make: MakeRecipe, make_project: MakeProject, tmp_path: Path
) -> None:
    folder = make_project("x", [1], 900, instances=True)
    check_recipe(make(folder))
    two = [{"value": 1, "name": "a"}, {"value": 2, "name": "b"}]
    network = {"name": "unet", "arguments": {"dims": 2, "widths": [4, 8], "out_channels": 2}}
    with pytest.raises(RecipeError, match=r"x\.tif\.bioseg: 001-x numbers objects, the model has 2 classes"):
        check_recipe(make(folder, classes=two, architecture=network))
    check_recipe(make(folder, classes=two, architecture=network, pair={"label_values": {0: 0, 1: 2}}))


def test_a_pair_may_have_label_values_of_its_own(make: MakeRecipe, make_project: MakeProject) -> None:
    folder = make_project("x", [1])
    with pytest.raises(RecipeError, match="no verified pixel has a value that label_values names"):
        check_recipe(make(folder, label_values={255: 1}))
    check_recipe(make(folder, label_values={255: 1}, pair={"label_values": {}}))


@pytest.mark.parametrize(
    ("use", "verified", "said"),
    [
        ("auto", [], "nothing of 001-x is verified. Press V"),
        ("train", [4, 5], "all that is verified is held out, or lies beside it"),
        ("test", [0], "all that is verified was trained on before"),
    ],
)
def test_nothing_to_learn_from_is_one_line(
    make: MakeRecipe, make_project: MakeProject, use: str, verified: list[int], said: str
) -> None:
    folder = make_project("x", verified)
    if use != "auto":
        (folder / "held_out.yaml").write_text("planes: [5]" if use == "train" else "trained: [1]")
    with pytest.raises(RecipeError, match=said):
        check_recipe(make(folder, use, simulated=[{"generator": "em_membranes", "count": 1}]))


def test_what_is_gone_or_not_as_it_was_is_one_line(make: MakeRecipe, make_project: MakeProject, tmp_path: Path) -> None:
    folder, run = make_project("x", [1]), Run(tmp_path / "run")
    recipe = make(folder)
    frozen = freeze(recipe, run.folder)
    with pytest.raises(UnreadableFileError, match=r"no prediction '002-x' of labels\. Choose one of: 001-x"):
        check_recipe(make(folder, pair={"prediction": "002-x"}))
    with pytest.raises(RecipeError, match="was begun with other projects"):
        freeze(make(folder, "train"), run.folder)
    (tmp_path / "x.tif").rename(tmp_path / "moved.tif")
    with pytest.raises(UnreadableFileError, match=r"x\.tif: the image of this project is gone\. Put it back"):
        check_recipe(recipe)
    with pytest.raises(UnreadableFileError, match=r"x\.tif: there is no such file"):
        load_samples(frozen, ("train",))
    (tmp_path / "a.tif").rename(tmp_path / "x.tif")
    with pytest.raises(IncompatibleImageError, match=r"shape \(4, 48, 48\), the labels of its project \(6, 48, 48\)"):
        load_samples(frozen, ("train",))
    (tmp_path / "moved.tif").rename(tmp_path / "x.tif")
    file = run.folder / "training_set" / "1-train.npz"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(UnreadableFileError, match=r"1-train\.npz: is missing or damaged"):
        load_samples(frozen, ("train",))
