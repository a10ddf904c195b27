"""The whole loop in one window: segment, paint, verify, fine-tune, compare, promote, segment, export, roll back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_bioseg import open_image
from napari_bioseg.models import find_model, load_model, read_card
from napari_bioseg.models.card import CARD_FILE
from napari_bioseg.plugin.settings import change_settings

pytestmark = [pytest.mark.ring, pytest.mark.gui]

WAIT = 120_000
SIDE, PLANES = 64, 9
VERIFIED = (0, 1, 4, 5, 8)


@pytest.fixture(autouse=True)
def zoo(tiny_zoo, tmp_path, monkeypatch):
    """The tiny model, untrained, learns from small patches; projects that cannot lie beside their image stay here."""
    folder = tiny_zoo / "tiny2d"
    card = read_card(folder).model_copy(update={"recipe": {"patch": [32, 32], "batch": 2}})
    (folder / CARD_FILE).write_text(card.to_yaml())
    monkeypatch.setenv("BIOSEG_PROJECTS", str(tmp_path / "projects"))
    return tiny_zoo


@pytest.fixture
def stack(tmp_path):
    truth = np.zeros((PLANES, SIDE, SIDE), bool)
    truth[:, 12:44, 16:50] = True
    values = (truth * 120 + np.random.default_rng(0).integers(0, 60, truth.shape)).astype(np.uint8)
    path = tmp_path / "cells.ome.tif"
    size = {"PhysicalSizeZ": 0.5, "PhysicalSizeY": 0.1, "PhysicalSizeX": 0.1}
    tifffile.imwrite(path, values, metadata={"axes": "ZYX", **size})
    return path, truth


def test_the_whole_loop(make_napari_viewer_proxy, qtbot, stack, zoo, tmp_path):
    path, truth = stack
    viewer = make_napari_viewer_proxy(show=True, strict_qt="raise")
    viewer.open(path, plugin="napari-bioseg")
    segment = _dock(viewer, "Segment")
    before = _segmented(viewer, qtbot, segment, "tiny2d").copy()

    correct = _correct(viewer, qtbot, truth)
    # An untrained model has nothing that is worth keeping.
    change_settings(finetune={"keep": 0.0})
    tune = _dock(viewer, "Fine-tune")
    qtbot.waitUntil(lambda: "5 slices verified" in tune.view.plan.text(), timeout=WAIT)
    with qtbot.waitSignal(tune.training.trained, timeout=WAIT) as caught:
        _click(qtbot, tune.view.start_button)
    run = caught.args[0].folder
    assert tune.view.curves.plots["scores"].isVisibleTo(tune.view)

    # The comparison opened by itself.
    compare = _dock(viewer, "Compare")
    qtbot.waitUntil(lambda: compare.found is not None, timeout=WAIT)
    _free(qtbot, compare)
    found = compare.found
    assert found.differences["dice"].mean > 0.1
    assert {row.plane[0] for row in found.rows}.isdisjoint(_trained(run))
    assert compare.view.verdict.text()
    with qtbot.waitSignal(compare.promoted, timeout=WAIT):
        compare.promote_as("tiny2d")
    _free(qtbot, compare)
    champion = read_card(find_model("tiny2d"))
    assert champion.version == "2"
    assert champion.lineage.comparison["verdict"] == found.verdict

    # The name stands for the new one now, in every panel.
    after = _segmented(viewer, qtbot, segment, "tiny2d")
    held_out = [row.plane[0] for row in found.rows]
    wrong = [int(((labels[held_out] > 0) != truth[held_out]).sum()) for labels in (before, after)]
    assert wrong[1] < 0.7 * wrong[0]
    out = tmp_path / "labels.ome.zarr"
    with qtbot.waitSignal(segment.saved, timeout=WAIT):
        segment.save_to(out)
    (labels,) = open_image(out).labels
    assert np.array_equal(labels.data.compute(), after)
    assert labels.pixel_size() == pytest.approx((0.5, 0.1, 0.1))

    models = _dock(viewer, "Models")
    qtbot.waitUntil(lambda: models.view.models.rowCount() > 0, timeout=WAIT)
    models.choose("tiny2d", 1)
    with qtbot.waitSignal(models.done, timeout=WAIT):
        _click(qtbot, models.view.use_button)
    _free(qtbot, models)
    assert read_card(find_model("tiny2d")).version == "1"
    assert load_model("tiny2d@2").card.sha256 == champion.sha256
    assert np.array_equal(_segmented(viewer, qtbot, segment, "tiny2d"), before)
    viewer.layers.clear()
    gone, panels = [], (segment, correct, tune, compare, models)
    for panel in panels:
        panel.destroyed.connect(lambda *_: gone.append(True))  # PySide6 gives no object
    viewer.window.remove_dock_widget("all")
    qtbot.waitUntil(lambda: len(gone) == len(panels), timeout=WAIT)


def _correct(viewer, qtbot, truth):
    """Start correcting, paint some slices right, and verify them; returns the panel."""
    correct = _dock(viewer, "Correct")
    _click(qtbot, correct.view.start_button, correct.opened)
    _free(qtbot, correct)
    layer = correct.correction.layer
    for z in VERIFIED:
        viewer.dims.set_current_step(0, z)
        _paint(layer, z, truth[z])
        _click(qtbot, correct.view.verify_button)
    assert correct.view.strip.states.count("verified") == len(VERIFIED)
    return correct


def _dock(viewer, name):
    return viewer.window.add_plugin_dock_widget("napari-bioseg", name)[1]


def _click(qtbot, button, signal=None):
    from qtpy.QtCore import Qt

    qtbot.waitUntil(button.isEnabled, timeout=WAIT)
    if signal is None:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        return
    with qtbot.waitSignal(signal, timeout=WAIT):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def _free(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)


def _segmented(viewer, qtbot, panel, model):
    """Segment the whole stack, and return the labels."""
    view = panel.view
    qtbot.waitUntil(lambda: view.model.combo.findData(model) >= 0 and view.segment_button.isEnabled(), timeout=WAIT)
    view.model.combo.setCurrentIndex(view.model.combo.findData(model))
    _click(qtbot, view.segment_button, panel.shown)
    _free(qtbot, panel)
    # Each result is a layer of its own; the newest lies on top.
    return np.asarray(viewer.layers[-1].data)


def _paint(layer, z, truth):
    """Paint and erase, each in one stroke, until the slice is right."""
    now = np.asarray(layer.data[z]) > 0
    for label, wrong in ((1, truth & ~now), (0, now & ~truth)):
        y, x = np.nonzero(wrong)
        with layer.block_history():
            layer.data_setitem((np.full(len(y), z), y, x), label)


def _trained(run):
    (project,) = json.loads((run / "training_set.json").read_text())["projects"]
    return project["train"]["planes"]
