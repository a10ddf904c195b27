"""Of what kind an image is: the model that is proposed for it, and the warning before another one runs."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from napari_bioseg.plugin.session import result_of
from napari_bioseg.plugin.settings import change_settings
from napari_bioseg.simulate import em_membranes, sample

from .conftest import WAIT

pytestmark = pytest.mark.gui

STACK = {"axis_labels": ("z", "y", "x")}


@pytest.fixture
def kinds(tiny_zoo):
    """Models that say for which kind of image they are: ``tiny2d`` for EM, ``tiny3d`` for vessels."""
    from napari_bioseg.models import load_model
    from napari_bioseg.models.card import CARD_FILE

    for name, kind in (("tiny2d", "EM"), ("tiny3d", "vessels")):
        card = load_model(name).card.model_copy(update={"kind": kind})
        (tiny_zoo / name / CARD_FILE).write_text(card.to_yaml(), encoding="utf-8")


@pytest.fixture
def open_panel(window, qtbot, kinds, tmp_path, monkeypatch):
    from qtpy.QtCore import QThreadPool

    def make(name):
        change_settings(segment={"model": "tiny2d"})
        _, panel = window.window.add_plugin_dock_widget("napari-bioseg", name)
        with qtbot.waitSignal(panel.kind.found, timeout=WAIT):
            pass
        return panel

    monkeypatch.setenv("BIOSEG_RUNS", str(tmp_path / "data"))
    yield make
    assert QThreadPool.globalInstance().waitForDone(30_000)


def run(panel, qtbot):
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        panel.view.segment_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    return caught.args[0]


def test_a_photograph_is_warned_of_and_a_section_is_not(window, qtbot, open_panel):
    window.add_image(em_membranes((1, 192, 192), 3)[0][0], name="section")
    panel = open_panel("Segment")
    labels = run(panel, qtbot)
    row = panel.view.drift
    assert not row.isVisible()
    assert result_of(labels).segmentation.provenance["kind"]["kind"] == "EM"

    window.add_image(data.coffee(), name="cup")
    labels = run(panel, qtbot)
    assert row.isVisible()
    assert row.words.text().startswith("⚠ This looks like a photograph or another kind of image (")
    assert "tiny2d was made for EM" in row.words.text()
    assert not row.fix_button.isVisible(), "no model is made for photographs"
    assert labels in window.layers, "the prediction is not held up"
    assert result_of(labels).segmentation.provenance["kind"]["kind"] == "other"
    window.layers.selection.active = window.layers["section"]
    assert not row.isVisible()


def test_the_proposed_model_follows_the_kind_until_the_user_chooses(window, qtbot, open_panel):
    sections, vessels = em_membranes((4, 192, 192), 3)[0], np.asarray(sample("vessels").data)
    window.add_image(sections, name="sections", **STACK)
    panel = open_panel("Segment")
    combo = panel.view.model.combo
    assert combo.findData("image-gate") < 0
    assert combo.currentData() == "tiny2d"
    with qtbot.waitSignal(panel.kind.found, timeout=WAIT):
        window.add_image(vessels, name="vessels", **STACK)
    assert combo.currentData() == "tiny3d"
    window.layers.selection.active = window.layers["sections"]
    assert combo.currentData() == "tiny2d"

    window.layers.selection.active = window.layers["vessels"]
    combo.setCurrentIndex(combo.findData("tiny2d"))
    combo.activated.emit(combo.currentIndex())  # as a click in the list does
    assert combo.currentData() == "tiny2d"
    run(panel, qtbot)
    row = panel.view.drift
    assert "vessels in two-photon microscopy" in row.words.text()
    assert row.fix_button.text() == "Use tiny3d"
    row.fix_button.click()
    assert combo.currentData() == "tiny3d"
    assert not row.isVisible()


def test_detect_looks_at_the_kind_too(window, qtbot, open_panel):
    window.add_image(data.coffee(), name="cup")
    panel = open_panel("Detect")
    assert panel.view.model.combo.currentData() == "cdv-yolo"
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        panel.view.detect_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert "cdv-yolo was made for spots" in panel.view.drift.words.text()
