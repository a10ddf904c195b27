"""Strokes, tools, undo and what is verified go to disk and come back, on a viewer model without Qt."""

from __future__ import annotations

import os
import shutil
import sys

import numpy as np
import pytest
import tifffile

from napari_bioseg.core.errors import (
    EditError,
    IncompatibleImageError,
    UnreadableFileError,
    UnwritableFileError,
)
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.change import Change, Patch
from napari_bioseg.corrections.project import LABELS, open_project, project_beside
from napari_bioseg.plugin.correcting import begin, go_on, show_correction, start_of
from napari_bioseg.plugin.correction import correction_of
from napari_bioseg.plugin.images import source_of
from napari_bioseg.plugin.projects import held_projects, images_of_project, projects_of
from napari_bioseg.plugin.reader import read_layers
from napari_bioseg.plugin.result import run
from napari_bioseg.plugin.session import make_request, model_image, show
from napari_bioseg.plugin.use_tool import scene_of, use_tool

pytestmark = pytest.mark.gui

SHAPE = (4, 40, 50)


@pytest.fixture(autouse=True)
def projects(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOSEG_PROJECTS", str(tmp_path / "projects"))
    return tmp_path / "projects"


@pytest.fixture
def viewer():
    from napari.components import ViewerModel

    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()  # lets go of the projects


@pytest.fixture
def path(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
    size = {"PhysicalSizeZ": 0.5, "PhysicalSizeY": 0.1, "PhysicalSizeX": 0.1}
    (tmp_path / "data").mkdir()
    tifffile.imwrite(tmp_path / "data" / "stack.ome.tif", values, metadata={"axes": "ZYX", **size})
    return tmp_path / "data" / "stack.ome.tif"


@pytest.fixture
def image(viewer, path):
    ((data, attributes, _),) = read_layers(path)
    return viewer.add_image(data, **attributes)


@pytest.fixture
def labels(viewer, image):
    values = np.zeros(SHAPE, np.int64)
    values[:, 5:15, 5:15] = 1
    values[:, 20:30, 20:40] = 90_000
    return viewer.add_labels(values, name="mine", scale=image.scale, units=image.units, translate=(0, 0.5, 0))


@pytest.fixture
def layer(viewer, image, labels):
    return start(viewer, labels, image)


def start(viewer, labels, image):
    made = show_correction(viewer, begin(start_of(viewer, labels, image), Job()))
    viewer.layers.selection.active = made
    return made


def again(viewer, folder, prediction=None):
    return show_correction(viewer, go_on(folder, prediction, held_projects(viewer.layers), Job()))


def stroke(viewer, layer, plane=1, value=5):
    viewer.dims.set_current_step(0, plane)
    layer.brush_size = 7
    layer.paint((plane, 10, 30), value)


def test_it_lies_on_the_labels_and_they_stay_as_they_were(viewer, image, labels, layer):
    assert layer.data.dtype == np.uint32
    assert np.array_equal(layer.data, labels.data)
    for name in ("scale", "translate"):
        assert np.array_equal(getattr(layer, name), getattr(labels, name))
    assert layer.units == labels.units
    assert layer.name == "mine · corrected"
    stroke(viewer, layer)
    assert not np.array_equal(layer.data, labels.data)


def test_the_project_lies_beside_the_image(viewer, path, image, layer):
    folder = correction_of(layer).project.folder
    assert folder == project_beside(path)
    assert projects_of(*source_of(image), LABELS) == [folder]


def test_strokes_tools_and_undo_come_back(viewer, path, layer):
    stroke(viewer, layer)
    stroke(viewer, layer, 2, 6)
    stroke(viewer, layer, 3, 2**32 - 1)
    layer.undo()
    correction = correction_of(layer)
    change = use_tool("delete", scene_of(viewer, correction, options(), volume=True), [(0, 25, 30)], correction)
    correction.show(change)
    for step in ("undo", "redo", "undo", "undo", "redo"):
        getattr(layer, step)()
    wanted, history = layer.data.copy(), correction.history
    assert len(history.done) == 2
    assert len(history.undone) == 1
    viewer.layers.remove(layer)

    back = again(viewer, project_beside(path))
    assert np.array_equal(back.data, wanted)
    assert correction_of(back).history == history
    back.redo()
    assert (back.data == 90_000).sum() == 0
    for _ in range(9):
        back.undo()
    assert np.array_equal(back.data, np.asarray(correction_of(back).base[...]))


def options():
    from napari_bioseg.editing.scene import EditOptions

    return EditOptions()


def test_hundreds_of_steps_are_undone_also_after_a_restart(viewer, path, layer):
    before, correction = layer.data.copy(), correction_of(layer)
    layer.visible = False  # drawing each step would take the most time
    for i in range(249):
        stroke(viewer, layer, 1, i + 1)
    painted = layer.data.copy()
    correction.show(use_tool("delete", scene_of(viewer, correction, options(), volume=True), [(0, 5, 5)], correction))
    for _ in range(30):
        layer.undo()
    viewer.layers.remove(layer)

    back = again(viewer, project_beside(path))
    back.visible = False
    history = correction_of(back).history
    assert (len(history.done), len(history.undone)) == (220, 30)
    for _ in range(220):
        back.undo()
    assert np.array_equal(back.data, before)
    for _ in range(249):
        back.redo()
    assert np.array_equal(back.data, painted)


def test_what_is_verified_comes_back(viewer, path, layer):
    correction = correction_of(layer)
    correction.mark((slice(0, 1), slice(0, 40), slice(0, 50)), on=True)
    correction.mark((slice(2, 3), slice(0, 20), slice(0, 50)), on=True)
    correction.mark((slice(0, 1), slice(0, 40), slice(0, 25)), on=False)
    viewer.layers.remove(layer)
    verified = correction_of(again(viewer, project_beside(path))).verified
    assert verified.planes() == {(0,): "part", (2,): "part"}
    assert verified.mask((slice(0, 1), slice(0, 1), slice(20, 30))).tolist() == [[[False] * 5 + [True] * 5]]


def test_slices_that_were_touched_are_known_again(viewer, path, layer):
    stroke(viewer, layer, 1)
    stroke(viewer, layer, 3)
    stroke(viewer, layer, 3, 8)
    layer.undo()
    assert correction_of(layer).touched.tolist() == [0, 1, 0, 1]
    viewer.layers.remove(layer)
    assert correction_of(again(viewer, project_beside(path))).touched.tolist() == [0, 1, 0, 1]


def test_a_prediction_keeps_its_classes_and_probabilities(viewer, image, tiny_zoo):
    from napari_bioseg.models import find_model, read_card
    from napari_bioseg.workflows.options import SegmentOptions

    request = make_request(viewer, image, read_card(find_model("tiny2d")), SegmentOptions(model="tiny2d"))
    shown = show(viewer, run(request, Job()))
    layer = start(viewer, shown, image)
    saved = correction_of(layer).saved
    assert saved.info.classes[0].name == "thing"
    assert saved.info.provenance["model"] == "tiny2d"
    assert saved.probabilities().shape == (1, *SHAPE)
    scene = scene_of(viewer, correction_of(layer), options(), volume=True)
    assert np.array_equal(scene.probability[1:3, :5], np.asarray(saved.probabilities()[0, 1:3, :5], np.float32))
    assert scene.spacing == pytest.approx((0.5, 0.1, 0.1))


@pytest.fixture
def predicted(viewer, image, tiny_zoo):
    from napari_bioseg.models import find_model, read_card
    from napari_bioseg.workflows.options import SegmentOptions

    request = make_request(viewer, image, read_card(find_model("tiny2d")), SegmentOptions(model="tiny2d"))
    return correction_of(start(viewer, show(viewer, run(request, Job())), image))


@pytest.mark.parametrize("measure", ["entropy", "disagreement"])
def test_next_goes_through_what_is_not_verified(viewer, image, predicted, measure):
    from napari_bioseg.plugin.where_next import look_ahead

    found = look_ahead(predicted, model_image(viewer, image)[0], measure, Job())
    assert found.uncertainty.values.shape == SHAPE
    seen = []
    while (suggestion := found.suggest()) is not None:
        seen.append(suggestion.plane)
        place = (*(slice(p, p + 1) for p in suggestion.plane), *suggestion.box)
        predicted.mark(place, on=True)
    assert sorted(seen) == [(z,) for z in range(SHAPE[0])]
    assert "nothing is verified yet" not in suggestion_after(found, predicted, seen[0])


def test_members_of_an_ensemble_are_asked_one_by_one(viewer, image, tiny_zoo):
    from napari_bioseg.models import load_model
    from napari_bioseg.models.ensemble import join, members_of
    from napari_bioseg.models.model import write_model
    from napari_bioseg.plugin.where_next import look_ahead
    from napari_bioseg.workflows.options import SegmentOptions
    from napari_bioseg.workflows.uncertainty import predict_augmented

    one, other = load_model("tiny2d"), load_model("tiny2d")
    other.network.head.bias.data += 4
    spec, network = join([(m.card.architecture, m.network) for m in (one, other)], "sigmoid")
    card = one.card.model_copy(update={"name": "both", "architecture": spec})
    request = make_request(
        viewer, image, write_model(tiny_zoo / "both", card, network, "# both\n"), SegmentOptions(model="both")
    )
    correction = correction_of(start(viewer, show(viewer, run(request, Job())), image))
    asked = model_image(viewer, image)[0]
    found = look_ahead(correction, asked, "disagreement", Job())
    # Two members, each seen turned four times, instead of one eight times.
    expected = predict_augmented(asked, members_of(load_model("both")), passes=4)[1]
    assert found.uncertainty.plane_means == pytest.approx(expected.plane_means)


def suggestion_after(found, correction, plane):
    correction.mark((slice(plane[0], plane[0] + 1), slice(0, 40), slice(0, 50)), on=False)
    return found.suggest().reason


def test_the_uncertainty_is_that_of_the_prediction_itself(viewer, image, predicted):
    from napari_bioseg.plugin.where_next import look_ahead, show_uncertainty
    from napari_bioseg.postprocess.uncertainty import entropy

    found = look_ahead(predicted, model_image(viewer, image)[0], "entropy", Job())
    said = np.asarray(predicted.saved.probabilities()[...])
    assert np.array_equal(found.uncertainty.values[...], np.rint(entropy(said, "sigmoid") * 255).astype(np.uint8))
    shown = show_uncertainty(viewer, found)
    assert shown.extent.world == pytest.approx(predicted.layer.extent.world)


def test_tools_see_the_image_under_the_labels(viewer, image, layer):
    image.data = image.data  # a dask array, read where it is sliced
    scene = scene_of(viewer, correction_of(layer), options(), volume=True, image_layer=image)
    assert scene.image is None  # the labels lie 5 pixels lower, and leave the image
    part = viewer.add_labels(np.zeros((2, 10, 12), int), scale=layer.scale, units=layer.units, translate=(0.5, 2, 0.1))
    shifted = start(viewer, part, image)
    scene = scene_of(viewer, correction_of(shifted), options(), volume=True, image_layer=image)
    assert np.array_equal(scene.image[0:2, 1:4, :], np.asarray(image.data)[1:3, 21:24, 1:13])
    assert scene.image.shape == (2, 10, 12)


def test_split_gives_labels_that_are_nowhere_else(viewer, layer):
    correction = correction_of(layer)
    for plane, wanted in ((1, 90_001), (2, 90_002)):
        viewer.dims.set_current_step(0, plane)
        scene = scene_of(viewer, correction, options(), volume=False)
        correction.show(use_tool("split", scene, [(plane, 25, 22), (plane, 25, 38)], correction))
        assert correction.highest == wanted == layer.data.max()
    stroke(viewer, layer, 1, 200_000)
    assert correction.highest == 200_000


def test_labels_of_no_model_are_gone_through_in_order(viewer, layer):
    from napari_bioseg.plugin.where_next import look_ahead, next_unverified

    correction = correction_of(layer)
    with pytest.raises(EditError, match="not known how unsure"):
        look_ahead(correction, None, "entropy", Job())
    assert next_unverified(correction, (1,)) == (2,)
    for z in (2, 3):
        correction.mark((slice(z, z + 1), slice(0, 40), slice(0, 50)), on=True)
    assert next_unverified(correction, (1,)) == (0,)
    correction.mark((slice(0, 2), slice(0, 40), slice(0, 50)), on=True)
    assert next_unverified(correction, (1,)) is None


def test_new_labels_for_the_whole_layer_are_one_step(viewer, layer):
    before = layer.data.copy()
    wanted = before.copy()
    wanted[1:3, :9] = 12
    layer.data = wanted
    assert np.array_equal(layer.data, wanted)
    assert layer.data is correction_of(layer).labels
    layer.undo()
    assert np.array_equal(layer.data, before)


def test_labels_of_another_shape_are_refused(viewer, layer):
    before = layer.data
    with pytest.raises(EditError, match="keeps its shape"):
        layer.data = np.zeros((2, 2, 2), np.uint32)
    assert layer.data is before
    stroke(viewer, layer)
    assert len(correction_of(layer).history.done) == 1


def test_a_copy_is_no_correction(viewer, layer):
    from napari.layers import Layer

    copy = viewer.add_layer(Layer.create(*layer.as_layer_data_tuple()))
    assert correction_of(copy) is None
    viewer.layers.remove(copy)
    stroke(viewer, layer)  # the correction is still open
    assert len(correction_of(layer).history.done) == 1


def test_another_window_only_shows(viewer, path, layer):
    from napari.components import ViewerModel

    stroke(viewer, layer)
    correction_of(layer).journal.flush()
    other = ViewerModel()
    seen = again(other, project_beside(path))
    assert np.array_equal(seen.data, layer.data)
    assert not seen.editable
    assert "read only" in seen.name
    assert "another window" in correction_of(seen).project.why_read_only
    seen.undo()
    assert np.array_equal(seen.data, layer.data)
    with pytest.raises(EditError, match="another window"):
        correction_of(seen).mark((slice(0, 1),) * 3, on=True)
    with pytest.raises(UnwritableFileError, match="another window"):
        begin(start_of(other, other.add_labels(np.zeros(SHAPE, int)), viewer.layers["stack"]), Job())


def test_two_predictions_share_the_project_of_a_window(viewer, path, image, labels, layer):
    second = start(viewer, labels, image)
    assert correction_of(second).project is correction_of(layer).project
    assert correction_of(second).saved.id != correction_of(layer).saved.id
    viewer.layers.remove(layer)
    stroke(viewer, second)
    assert len(correction_of(second).history.done) == 1
    viewer.layers.remove(second)
    with open_project(project_beside(path)) as project:
        assert project.writable


def test_going_on_with_what_is_open_is_refused(viewer, path, layer):
    stroke(viewer, layer)
    with pytest.raises(UnwritableFileError, match=r"is being written already\. Go on in the layer"):
        again(viewer, project_beside(path))
    stroke(viewer, layer, 2)
    wanted = layer.data.copy()
    viewer.layers.remove(layer)
    assert np.array_equal(again(viewer, project_beside(path)).data, wanted)


def test_starting_twice_is_refused(viewer, image, layer):
    with pytest.raises(IncompatibleImageError, match="being corrected already"):
        start_of(viewer, layer, image)


def test_an_image_in_no_file_goes_into_the_project(viewer, projects):
    values = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
    image = viewer.add_image(values, name="a/b", axis_labels=("z", "y", "x"), scale=(2, 1, 1))
    layer = start(viewer, viewer.add_labels(np.zeros(SHAPE, int), name="l"), image)
    folder = correction_of(layer).project.folder
    assert folder == projects / "a-b-1.bioseg"
    viewer.layers.clear()
    ((data, attributes, _),) = images_of_project(folder)
    assert np.array_equal(np.asarray(data), values)
    assert attributes["name"] == "a/b"
    assert attributes["scale"] == (2, 1, 1)


def test_a_project_without_its_image_still_gives_the_labels(viewer, path, layer):
    stroke(viewer, layer)
    wanted = layer.data.copy()
    viewer.layers.remove(layer)
    path.unlink()
    folder = project_beside(path)
    with pytest.raises(UnreadableFileError, match=r"stack\.ome\.tif: the image of this project is gone"):
        images_of_project(folder)
    assert np.array_equal(again(viewer, folder).data, wanted)


def test_a_folder_that_cannot_be_written_leaves_the_project_elsewhere(
    viewer, path, image, labels, projects, monkeypatch
):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    layer = start(viewer, labels, image)
    assert correction_of(layer).project.folder.parent == projects
    assert projects_of(*source_of(image), LABELS) == [correction_of(layer).project.folder]


def test_a_torn_last_line_costs_one_stroke_and_is_told(viewer, path, layer):
    from napari.utils.notifications import notification_manager

    stroke(viewer, layer)
    wanted = layer.data.copy()
    stroke(viewer, layer, 2)
    journal = correction_of(layer).saved.journal
    viewer.layers.remove(layer)
    journal.write_bytes(journal.read_bytes()[:-9])
    told = len(notification_manager.records)
    back = again(viewer, project_beside(path))
    assert np.array_equal(back.data, wanted)
    (message,) = [record.message for record in notification_manager.records[told:]]
    assert "journal.jsonl: its last line was cut off" in message
    stroke(viewer, back, 3)
    assert len(correction_of(back).history.done) == 2


def test_large_labels_are_painted_on_disk(viewer, path, image, labels, monkeypatch):
    import dask.array as da
    import zarr

    from napari_bioseg.plugin import correcting

    monkeypatch.setattr(correcting, "IN_MEMORY", 1)
    labels.data = da.from_array(labels.data, chunks=(3, 16, 16))
    layer = start(viewer, labels, image)
    assert isinstance(layer.data, zarr.Array)
    stroke(viewer, layer)
    stroke(viewer, layer, 2)
    layer.undo()
    wanted = layer.data[...]
    assert (wanted == 5).sum() > 0
    viewer.layers.remove(layer)
    assert np.array_equal(again(viewer, project_beside(path)).data[...], wanted)


def test_moved_together_it_opens(viewer, path, layer, tmp_path):
    stroke(viewer, layer)
    wanted = layer.data.copy()
    viewer.layers.clear()
    shutil.move(path.parent, tmp_path / "moved")
    folder = project_beside(tmp_path / "moved" / path.name)
    assert len(images_of_project(folder)) == 1
    assert np.array_equal(again(viewer, folder).data, wanted)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_a_full_disk_is_told_once_and_costs_no_stroke(viewer, path, layer):
    import resource

    from napari.utils.notifications import notification_manager

    correction = correction_of(layer)
    stroke(viewer, layer)
    correction.journal.flush()
    told = len(notification_manager.records)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (correction.saved.journal.stat().st_size + 20, limits[1]))
    try:
        for value in range(6, 12):
            stroke(viewer, layer, 2, value)
        assert not correction.saved_all
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    messages = [record.message for record in notification_manager.records[told:]]
    assert len(messages) == 1
    assert "journal.jsonl: cannot be written" in messages[0]
    stroke(viewer, layer, 3)
    correction.journal.flush()
    assert correction.saved_all
    wanted = layer.data.copy()
    viewer.layers.remove(layer)
    assert np.array_equal(again(viewer, project_beside(path)).data, wanted)


def test_undo_without_the_journal_changes_nothing(viewer, layer):
    from napari.utils.notifications import notification_manager

    stroke(viewer, layer)
    correction = correction_of(layer)
    correction.journal.flush()
    correction.saved.journal.rename(correction.saved.journal.with_name("away"))
    before = layer.data.copy()
    layer.undo()
    assert "journal.jsonl: cannot be opened" in notification_manager.records[-1].message
    assert np.array_equal(layer.data, before)
    assert len(correction.history.done) == 1
    correction.saved.journal.with_name("away").rename(correction.saved.journal)
    layer.undo()
    assert not np.array_equal(layer.data, before)


def test_corrected_labels_never_replace_their_image(viewer, path, layer):
    from napari_bioseg.plugin.writer import write_labels

    before = path.read_bytes()
    data, attributes, _ = layer.as_layer_data_tuple()
    with pytest.raises(UnwritableFileError, match=r"stack\.ome\.tif"):
        write_labels(str(path), data, attributes)
    assert path.read_bytes() == before
    assert write_labels(str(path.with_name("labels.ome.tif")), data, attributes)


def test_a_closed_correction_takes_no_more(viewer, layer):
    correction = correction_of(layer)
    viewer.layers.remove(layer)
    one = np.ones((1, 1, 1), bool)
    with pytest.raises(EditError, match="is closed"):
        correction.do(Change("test", (Patch((0, 0, 0), one, np.uint32(0).reshape(()), np.uint32(1).reshape(())),)))
    assert correction.labels[0, 0, 0] == 0
