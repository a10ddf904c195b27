"""Edits of boxes, thresholds and checked frames go to disk and come back, on a viewer model without Qt.

As a program, this file draws boxes until it is killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import IncompatibleImageError, UnreadableFileError, UnwritableFileError
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.contents import read_journal
from napari_bioseg.corrections.project import open_project, project_beside
from napari_bioseg.corrections.records import BoxEdit
from napari_bioseg.plugin.box_correcting import begin_boxes, go_on_boxes, show_boxes, start_of_boxes
from napari_bioseg.plugin.box_correction import box_correction_of
from napari_bioseg.plugin.box_layer import box_layer, check, tune
from napari_bioseg.plugin.box_state import BoxState, boxes_of, column_of, state_of
from napari_bioseg.plugin.correcting import begin, go_on, show_correction, start_of
from napari_bioseg.plugin.projects import held_projects
from napari_bioseg.plugin.reader import read_layers
from napari_bioseg.plugin.session import model_image
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector

pytestmark = pytest.mark.gui

SHAPE = (4, 40, 50)
PLACES = ("frame", "z", "centre", "size", "confidence", "hand")


@pytest.fixture(autouse=True)
def projects(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOSEG_PROJECTS", str(tmp_path / "projects"))


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()  # lets go of the projects


@pytest.fixture
def path(tmp_path):
    return write_frames(tmp_path / "frames.ome.tif")


@pytest.fixture
def layer(viewer, path):
    return correcting(viewer, path)


def write_frames(path):
    size = {"PhysicalSizeY": 0.1, "PhysicalSizeX": 0.2}
    tifffile.imwrite(path, np.zeros(SHAPE, np.uint16), metadata={"axes": "TYX", **size})
    return path


def found():
    rng = np.random.default_rng(3)
    centre, size = rng.random((60, 2)) * [36, 46] + 2, rng.random((60, 2)) * 6 + 3
    return Boxes.of(centre, size, frame=rng.integers(4, size=60), confidence=rng.random(60))


def detected(viewer, path, boxes=None):
    """An image and boxes on it, as the panel shows them."""
    ((data, attributes, _),) = read_layers(path)
    image = viewer.add_image(data, **attributes)
    selector = BoxSelector(found() if boxes is None else boxes)
    state = BoxState(selector, BoxOptions(), 0.3, model_image(viewer, image)[0], "TYX", {"model": "some"})
    placement = {"scale": image.scale, "units": image.units, "axis_labels": tuple("tyx")}
    return image, viewer.add_layer(box_layer(state, name="frames · cdv", placement=placement, owner="frames"))


def correcting(viewer, path, boxes=None):
    image, layer = detected(viewer, path, boxes)
    return show_boxes(viewer, begin_boxes(start_of_boxes(viewer, layer, image), Job()))


def again(viewer, path, prediction=None):
    folder = project_beside(path)
    return show_boxes(viewer, go_on_boxes(folder, prediction, held_projects(viewer.layers), Job()))


def draw(layer, frame=1, y=5.3, x=7.1, height=4.7, width=3.9):
    low, high = (y - height / 2, x - width / 2), (y + height / 2, x + width / 2)
    layer.add_rectangles([[frame, *low], [frame, low[0], high[1]], [frame, *high], [frame, high[0], low[1]]])


def move(layer, row, by=(1.7, -2.3)):
    from napari.layers.base._base_constants import ActionType

    layer._data_view.shift(row, np.array(by))  # what napari's mouse does, and then tells
    layer.events.data(value=layer.data, action=ActionType.CHANGED, data_indices=(row,), vertex_indices=((),))


def delete(layer, *rows):
    layer.selected_data = set(rows)
    layer.remove_selected()


def paste(layer, row):
    layer.selected_data = {row}
    layer._copy_data()  # what Ctrl+C and Ctrl+V call
    layer._paste_data()


def looks(layer):
    """All that a person sees and can do with the boxes: exact numbers, in one order."""
    state, boxes = state_of(layer), boxes_of(layer)
    rows = np.column_stack([np.asarray(getattr(boxes, name), float).reshape(len(boxes), -1) for name in PLACES])
    candidate, kept = column_of(layer, "candidate"), column_of(layer, "kept")
    hidden = sorted(candidate[~kept.astype(bool)].tolist())
    return sorted(rows.tolist()), hidden, set(state.checked), state.options, state.own_confidence


def edits(layer):
    correction = box_correction_of(layer)
    correction.journal.flush()
    return [r for r in read_journal(correction.saved.journal).records if isinstance(r, BoxEdit)]


def test_all_that_a_hand_does_comes_back(viewer, path, layer):
    draw(layer)
    draw(layer, 2)
    shown = np.flatnonzero(column_of(layer, "kept"))
    move(layer, int(shown[3]))
    delete(layer, int(shown[0]), int(shown[1]))
    paste(layer, int(np.flatnonzero(column_of(layer, "kept"))[0]))
    move(layer, layer.nshapes - 1)
    check(layer, (2, 0), True)
    assert [(len(e.removed), len(e.added)) for e in edits(layer)] == [(0, 1), (0, 1), (1, 1), (2, 0), (0, 1), (1, 1)]
    tune(layer, BoxOptions(confidence=0.9, iou=0.4))
    wanted, extent = looks(layer), layer.extent.world
    viewer.layers.remove(layer)

    back = again(viewer, path)
    assert looks(back) == wanted
    assert back.extent.world == pytest.approx(extent)
    assert back.units == viewer.layers["frames"].units
    assert len(box_correction_of(back).history.done) == 6
    for options in (BoxOptions(confidence=0.05, iou=1.0), BoxOptions(confidence=0.6)):
        tune(layer, options)
        tune(back, options)
        assert looks(back) == looks(layer)
    check(layer, (2, 0), False)
    check(back, (2, 0), False)
    assert looks(back) == looks(layer)


def all_kinds_of_edits(layer):
    """Draw, move a found one and a drawn one, delete both kinds, paste; after each, what there is."""
    yield looks(layer)[:2]
    shown = np.flatnonzero(column_of(layer, "kept"))
    for act in (
        lambda: draw(layer),
        lambda: move(layer, int(shown[3])),
        lambda: move(layer, layer.nshapes - 1, (0.4, 0.7)),
        lambda: delete(layer, int(shown[0]), int(shown[1]), layer.nshapes - 1),
        lambda: paste(layer, int(np.flatnonzero(column_of(layer, "kept"))[0])),
        lambda: draw(layer, 3),
    ):
        act()
        yield looks(layer)[:2]


def test_edits_are_undone_and_redone_also_after_a_restart(viewer, path, layer):
    states = list(all_kinds_of_edits(layer))
    for i, wanted in enumerate(reversed(states[:-1])):
        box_correction_of(layer).undo()
        assert looks(layer)[:2] == wanted
        if i % 2:
            viewer.layers.remove(layer)
            layer = again(viewer, path)
            assert looks(layer)[:2] == wanted
    box_correction_of(layer).undo()  # there is no more
    for i, wanted in enumerate(states[1:]):
        box_correction_of(layer).redo()
        assert looks(layer)[:2] == wanted
        if i % 2:
            viewer.layers.remove(layer)
            layer = again(viewer, path)
            assert looks(layer)[:2] == wanted
    box_correction_of(layer).redo()
    assert len(edits(layer)) == 6  # undo and redo are no edits of their own


def test_a_new_edit_ends_what_could_be_redone(viewer, path, layer):
    draw(layer)
    box_correction_of(layer).undo()
    draw(layer, 2)
    wanted = looks(layer)
    box_correction_of(layer).redo()
    assert looks(layer) == wanted
    box_correction_of(layer).undo()
    assert not boxes_of(layer).hand.any()


def test_a_box_that_comes_back_is_the_models_again(viewer, path, layer):
    row = int(np.flatnonzero(column_of(layer, "kept"))[0])
    before, color = layer.features.iloc[row].to_dict(), layer.edge_color[row]
    delete(layer, row)
    tune(layer, BoxOptions(confidence=0.95))  # not yet told
    box_correction_of(layer).undo()
    back = int(np.flatnonzero(column_of(layer, "candidate") == before["candidate"])[0])
    assert layer.features.iloc[back].to_dict() == before
    assert layer.edge_color[back] == pytest.approx(color)
    wanted = looks(layer)
    viewer.layers.remove(layer)
    layer = again(viewer, path)
    assert looks(layer) == wanted
    tune(layer, BoxOptions(confidence=0.96))
    assert len(boxes_of(layer)) < len(wanted[0])  # thresholds have it again


def test_a_box_that_is_being_drawn_is_not_undone(viewer, path, layer):
    draw(layer)
    wanted = looks(layer)
    layer._is_creating = True
    box_correction_of(layer).undo()
    layer._is_creating = False
    assert looks(layer) == wanted


def test_opening_and_closing_records_nothing(viewer, path, layer):
    draw(layer, y=1 / 3, x=0.1 + 0.2)
    delete(layer, 4)
    viewer.layers.remove(layer)
    (journal,) = project_beside(path).glob("predictions/*/journal.jsonl")
    before = journal.read_bytes()
    for _ in range(2):
        viewer.layers.remove(again(viewer, path))
    assert journal.read_bytes() == before


def test_it_goes_on_after_it_was_opened_again(viewer, path, layer):
    draw(layer)
    viewer.layers.remove(layer)
    back = again(viewer, path)
    move(back, back.nshapes - 1)
    draw(back, 3)
    delete(back, 0)
    wanted = looks(back)
    viewer.layers.remove(back)
    assert looks(again(viewer, path)) == wanted


def test_what_was_done_before_and_while_it_was_saved_counts(viewer, path):
    image, layer = detected(viewer, path)
    draw(layer)
    check(layer, (0, 0), True)
    tune(layer, BoxOptions(confidence=0.8))
    delete(layer, 2)
    start = start_of_boxes(viewer, layer, image)
    check(layer, (1, 0), True)
    tune(layer, BoxOptions(confidence=0.5))
    draw(layer, 2)
    show_boxes(viewer, begin_boxes(start, Job()))
    wanted = looks(layer)
    viewer.layers.remove(layer)
    assert looks(again(viewer, path)) == wanted


def test_boxes_of_a_file_stay_all_shown(viewer, path):
    image, layer = detected(viewer, path)
    viewer.layers.remove(layer)
    state, every = state_of(layer), np.ones(60, bool)
    layer = viewer.add_layer(box_layer(state, found()[:2], name="file", owner="frames", shown=every))
    show_boxes(viewer, begin_boxes(start_of_boxes(viewer, layer, image), Job()))
    wanted = looks(layer)
    assert len(wanted[0]) == 62
    viewer.layers.remove(layer)
    assert looks(again(viewer, path)) == wanted


def test_the_same_box_twice(viewer, path):
    layer = correcting(viewer, path, Boxes.of([[9, 9]] * 3, [[4, 4]] * 3, confidence=0.9))
    paste(layer, 0)
    paste(layer, 0)
    delete(layer, 0, layer.nshapes - 1)
    wanted = looks(layer)
    viewer.layers.remove(layer)
    back = again(viewer, path)
    assert looks(back) == wanted
    assert boxes_of(back).hand.sum() == 1


def test_moving_a_threshold_is_no_edit(viewer, path, layer):
    tune(layer, BoxOptions(confidence=0.7))
    box_correction_of(layer).note()
    assert edits(layer) == []
    assert box_correction_of(layer).history.done == []


def test_a_checked_frame_is_on_disk_at_once(viewer, path, layer):
    tune(layer, BoxOptions(confidence=0.7))
    check(layer, (2, 0), True)
    correction = box_correction_of(layer)
    correction.journal.flush()
    thresholds, verified = read_journal(correction.saved.journal).records
    assert thresholds.values == state_of(layer).options.model_dump()
    assert verified.box == (slice(2, 3), slice(0, 40), slice(0, 50))


def test_a_frame_that_is_checked_no_longer_follows_the_thresholds(viewer, path, layer):
    check(layer, (1, 0), True)
    tune(layer, BoxOptions(confidence=0.8))
    box_correction_of(layer).note()
    before = looks(layer)
    check(layer, (1, 0), False)
    wanted = looks(layer)
    assert wanted[1] != before[1]
    viewer.layers.remove(layer)
    assert looks(again(viewer, path)) == wanted


def test_another_window_only_shows(viewer, path, layer):
    from napari.components import ViewerModel

    draw(layer)
    box_correction_of(layer).journal.flush()
    other = ViewerModel()
    seen = again(other, path)
    assert looks(seen) == looks(layer)
    assert not seen.editable
    assert seen.name == "frames · corrected (read only)"
    assert "another window" in box_correction_of(seen).project.why_read_only
    delete(seen, 0)
    check(seen, (0, 0), True)
    assert len(edits(layer)) == 1
    with pytest.raises(UnwritableFileError, match="another window"):
        correcting(other, path)


def test_a_copy_is_no_correction(viewer, path, layer):
    from napari.layers import Layer

    from napari_bioseg.plugin.box_following import follow

    copy = viewer.add_layer(Layer.create(*layer.as_layer_data_tuple()))
    follow(copy)
    assert box_correction_of(copy) is None
    draw(copy)
    viewer.layers.remove(copy)
    draw(layer)  # the correction is still open
    assert len(edits(layer)) == 1


def test_labels_and_boxes_share_the_project_of_a_window(viewer, path, layer):
    labels = viewer.add_labels(np.zeros(SHAPE, int), name="mine")
    painted = show_correction(viewer, begin(start_of(viewer, labels, viewer.layers["frames"]), Job()))
    assert held_projects(viewer.layers)[0] is held_projects(viewer.layers)[1]
    viewer.layers.remove(layer)
    assert held_projects(viewer.layers)[0].writable
    painted.fill((0, 1, 1), 7)
    viewer.layers.remove(painted)
    with open_project(project_beside(path)) as project:
        assert project.writable
    assert go_on(project_beside(path), None, (), Job()).labels[0, 1, 1] == 7


def test_there_must_be_boxes(viewer, path, layer):
    folder = project_beside(path)
    with pytest.raises(UnreadableFileError, match="holds no labels yet"):
        go_on(folder, None, held_projects(viewer.layers), Job())
    with pytest.raises(UnreadableFileError, match="holds no boxes yet"):
        go_on_boxes(folder, "no such", held_projects(viewer.layers), Job())
    with pytest.raises(IncompatibleImageError, match="being corrected already"):
        start_of_boxes(viewer, layer)
    with pytest.raises(IncompatibleImageError, match="holds no boxes of ours"):
        start_of_boxes(viewer, viewer.add_shapes())


def test_boxes_open_without_their_image(viewer, path, layer):
    draw(layer)
    wanted = looks(layer)
    viewer.layers.clear()
    path.unlink()
    assert looks(again(viewer, path)) == wanted


def test_a_torn_last_line_costs_one_edit(viewer, path, layer):
    draw(layer)
    wanted = looks(layer)
    draw(layer, 2)
    journal = box_correction_of(layer).saved.journal
    viewer.layers.remove(layer)
    journal.write_bytes(journal.read_bytes()[:-9])
    back = again(viewer, path)
    assert looks(back) == wanted
    draw(back, 3)
    assert len(edits(back)) == 2


def test_nothing_that_was_written_is_lost_to_a_kill(viewer, path):
    with subprocess.Popen([sys.executable, __file__, str(path)], stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if int(line) >= 25:
                child.kill()
                break
        written = [int(line), *(int(rest) for rest in child.stdout)][-1]
    back = again(viewer, path)
    expected = list(drawn_boxes(written + 2))
    mine = boxes_of(back)[boxes_of(back).hand]
    assert written <= len(mine) <= written + 2  # one is being written, one was handed over since it was said
    assert np.array_equal(mine.centre, [centre for centre, _ in expected][: len(mine)])
    assert np.array_equal(mine.frame, [frame for _, frame in expected][: len(mine)])


def drawn_boxes(n):
    """Centre and frame of the boxes that the child draws, as napari keeps them."""
    for i in range(n):
        low = np.float32([i / 7 - 2.35, i / 3 - 1.95]).astype(float)
        high = np.float32([i / 7 + 2.35, i / 3 + 1.95]).astype(float)
        yield ((low + high) / 2).tolist(), i % 4


def draw_until_killed(path):
    from napari.components import ViewerModel

    layer = correcting(ViewerModel(), path)
    journal, i = box_correction_of(layer).journal, 0
    while True:
        draw(layer, i % 4, i / 7, i / 3)
        i += 1
        os.write(1, f"{journal.written}\n".encode())


if __name__ == "__main__":
    draw_until_killed(Path(sys.argv[1]))
