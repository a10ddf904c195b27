"""What projects have to learn from, told before anything is trained; runs as a list shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_bioseg.core.errors import UnreadableFileError, UnwritableFileError
from napari_bioseg.corrections.held_out import HeldOut, split, write_split
from napari_bioseg.plugin.learning import Lesson, projects_open, read_lessons, read_material, tell_plan, why_no_score
from napari_bioseg.plugin.training_runs import read_runs, read_state
from napari_bioseg.runs import Run, at_work, lock
from napari_bioseg.workflows.training_preview import PREDICTED, TRUE, picture, read_preview

IMAGE = np.zeros((9, 16, 16), np.uint8)
TRUTH = np.ones((9, 16, 16), np.uint8)


def lesson(verified: list[int], before: HeldOut | None = None) -> Lesson:
    before = before or HeldOut()
    found = split(before, verified, "auto")
    return Lesson(Path("a"), "a.tif", "", len(verified), 0, len(before.trained), len(before.planes), found)


def test_a_lesson_counts_slices_whole_and_in_part_and_what_was_done_before(make_project: Any) -> None:
    places = [1, 3, 5, (slice(8, 9), slice(2, 9), slice(0, 4))]
    project = make_project("stack", IMAGE, TRUTH, places, provenance={"model": "tiny2d"})
    (found,) = read_lessons(project)
    assert (found.whole, found.parts, found.trained, found.held_out) == (3, 1, 0, 0)
    assert (found.model, found.verified) == ("tiny2d", 4)
    assert str(found) == "stack.tif: 3 slices and 1 in part verified"
    assert not (project / "held_out.yaml").exists()
    write_split(project, [1, 3, 5, 8], "auto")
    assert [str(lesson) for lesson in read_lessons(project)] == [
        "stack.tif: 3 slices and 1 in part verified (1 held out before)"
    ]


def test_what_cannot_be_read_is_told_beside_the_others(make_project: Any, tmp_path: Path) -> None:
    good = make_project("stack", IMAGE, TRUTH, [1])
    start(good, "a", 2)
    found = read_material([good, tmp_path / "gone.bioseg", good])
    assert [lesson.project for lesson in found.lessons] == [good]
    assert [state.told for state in found.runs] == ["a (epoch 2 of 10)"]
    names = {card.name for card in found.cards}
    assert "membranes-unet2d" in names
    assert "cdv-yolo" in names
    assert len(found.problems) == 1
    assert "is no project" in found.problems[0]


@pytest.mark.gui
def test_the_projects_of_open_images_are_found_once(make_project: Any) -> None:
    from napari.layers import Image, Labels

    project = make_project("stack", IMAGE, TRUTH, [1])
    source = project.with_suffix("")
    image = Image(IMAGE, metadata={})
    image._source = image._source.model_copy(update={"path": str(source)})
    assert projects_open([image, Labels(TRUTH), image]) == [project]
    assert projects_open([Labels(TRUTH)]) == []


@pytest.mark.parametrize(
    ("lessons", "plan", "score"),
    [
        ([], "Nothing is verified yet", "No score: 0 slices verified, 3 are needed."),
        ([lesson([4])], "1 slice verified: it will learn from it and cannot compare; verify 2 more.", "No score: 1"),
        ([lesson([4, 6])], "2 slices verified: it will learn from both and cannot compare; verify one more.", "No"),
        ([lesson([1, 3, 5])], "3 slices verified: 2 to learn from, 1 held out to compare on.", ""),
        ([lesson([1, 2, 3])], "1 to learn from, 1 held out to compare on, 1 left out between, too much alike.", ""),
        ([lesson([1, 3, 5]), lesson([7])], "4 slices verified: 3 to learn from, 1 held out to compare on.", ""),
        ([lesson([1]), lesson([7])], "learn from both and cannot compare; verify others, not beside", "No score: 2"),
        ([lesson([1, 3, 5], HeldOut(trained=(1, 3, 5)))], "it will learn from all 3 and cannot compare", "No score: n"),
        ([lesson([4, 5], HeldOut(planes=(4,)))], "held out, or beside what is held out. Verify one further away", ""),
    ],
)
def test_what_will_happen_is_told_in_words(lessons: list[Lesson], plan: str, score: str) -> None:
    assert plan in tell_plan(lessons)
    assert why_no_score(lessons).startswith(score)


RECIPE = """
name: squares
card: {title: t, summary: s, licence: CC0, data: d, split: s}
architecture: {name: unet, arguments: {dims: 2, widths: [2, 4]}}
input: {axes: YX}
classes: [{value: 1, name: square}]
patch: [16, 16]
epochs: 10
"""


def start(project: Path, name: str, epochs: int, held_out: float | None = None) -> Path:
    run = Run(project / "runs" / name)
    run.start(RECIPE)
    for epoch in range(1, epochs + 1):
        run.log(epoch=epoch, loss=0.5, held_out=held_out, seconds=12.0, device="cpu", memory=300 * 2**20)
    return run.folder


def test_runs_are_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_PATIENCE", 0.1)
    stopped, done = start(tmp_path, "a", 4), start(tmp_path, "b", 10, 0.8)
    assert str(read_state(stopped)) == "a (epoch 4 of 10): not finished"
    assert read_state(stopped).pace == "Epoch 4 of 10, 12 s an epoch\ncpu, 300 MiB of memory"
    assert read_state(stopped).model is None
    with at_work(stopped):
        assert str(read_state(stopped)) == "a (epoch 4 of 10): at work"
        with pytest.raises(UnwritableFileError, match="another window"), at_work(stopped):
            pass
    (done / "squares").mkdir()
    (done / "squares" / "card.yaml").write_text("name: squares")
    assert read_state(done).model == done / "squares"
    assert str(read_state(done)) == "b: not compared yet"
    (done / "comparison.json").write_text(json.dumps({"verdict": "better by 0.04 IoU"}))
    assert str(read_state(done)) == "b: better by 0.04 IoU"
    (stopped / "recipe.yaml").write_text("name: [")
    assert [state.folder for state in read_runs([tmp_path])] == [done]


def test_the_network_at_work_is_told_of_several(tmp_path: Path) -> None:
    run = start(tmp_path, "a", 0)
    (run / "recipe.yaml").write_text(RECIPE + "seeds: [1, 2, 3]\n")
    assert str(read_state(run)) == "a (network 1 of 3): not finished"
    for number, epochs, score in ((1, 10, 0.8), (2, 4, None)):
        network = Run(run / f"member-{number}")
        for epoch in range(1, epochs + 1):
            network.log(epoch=epoch, loss=0.5 / number, held_out=score, seconds=6.0 * number)
    state = read_state(run)
    assert state.scored
    assert [line["loss"] for line in state.now.lines] == [0.25] * 4
    # 6 epochs of this one and 10 of the next, 12 s each.
    assert state.pace == "Network 2 of 3, epoch 4 of 10, 12 s an epoch, about 3 min 12 s left for all"
    assert not (run / "member-3").exists()
    (run / "squares").mkdir()
    (run / "squares" / "card.yaml").write_text("name: squares")
    assert "left" not in read_state(run).pace


def test_checked_boxes_are_a_lesson_of_their_own(make_box_project: Any) -> None:
    from napari_bioseg.core.boxes import Boxes

    one = Boxes.of(np.full((3, 2), 8.0), np.full((3, 2), 4.0), frame=[0, 4, 6])
    project = make_box_project("movie", IMAGE, one, one, [0, 4], provenance={"model": "cdv-yolo"})
    (found,) = read_lessons(project)
    assert (found.task, found.model, found.whole, found.parts) == ("detection", "cdv-yolo", 2, 0)
    assert str(found) == "movie.tif: 2 slices with checked boxes"


def test_a_preview_is_drawn_from_the_file_of_a_run(tmp_path: Path) -> None:
    assert read_preview(tmp_path) is None
    image = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (3, 40, 1))
    target, said = np.zeros((3, 40, 40), np.int16), np.zeros((3, 40, 40), np.float32)
    target[:, 10:30, 10:30], target[:, :5], said[:, 15:35, 15:35] = 1, -1, 0.7
    np.savez(tmp_path / "preview.npz", image=image, target=target, probability=said, epoch=4, held_out=True)
    found = read_preview(tmp_path)
    assert found is not None
    assert (found.epoch, found.held_out, len(found.pictures)) == (4, True, 2)
    first = found.pictures[0]
    assert first.shape == (40, 40, 3)
    assert (first[10, 10:30] == TRUE).all()
    assert (first[9] != TRUE).any()
    grey = first[20, 12].astype(int)
    assert np.ptp(grey) == 0
    assert abs(first[32, 32].astype(int) - PREDICTED).sum() < abs(first[32, 36].astype(int) - PREDICTED).sum()
    assert first[2, 35].sum() < first[7, 35].sum()
    assert not (read_preview(tmp_path, 0.8).pictures[0][32, 32] == first[32, 32]).all()  # type: ignore[union-attr]
    (tmp_path / "preview.npz").write_bytes(b"PK")
    with pytest.raises(UnreadableFileError, match="is damaged"):
        read_preview(tmp_path)


def test_where_the_truth_is_not_known_it_has_no_outline() -> None:
    target = np.full((20, 20), -1, np.int16)
    target[:, :10] = 1
    drawn = picture(np.zeros((20, 20)), target, np.zeros((20, 20)))
    assert not (drawn == TRUE).all(axis=-1).any()
