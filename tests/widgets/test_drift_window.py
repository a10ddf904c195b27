"""A warning beside the prediction, what its buttons do, and the panel "Drift", in a real window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_bioseg.core.image import image_from_array
from napari_bioseg.drift import Cause, Known, make_profile
from napari_bioseg.plugin.box_state import state_of
from napari_bioseg.plugin.first_look import Checked
from napari_bioseg.plugin.session import result_of
from napari_bioseg.plugin.settings import change_settings, load_settings

from .conftest import WAIT

pytestmark = pytest.mark.gui


def warning_color(theme):
    from napari.utils.theme import get_theme

    return get_theme(theme).warning.as_hex()


PLACE = {"scale": (2.0, 0.5, 0.5), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}


def spots(seed):
    """Bright spots on a dark ground, in four planes."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(4, 64, 72)), (0, 2, 2))
    bright = 60 * np.clip(smooth / smooth.std() - 0.5, 0, 3)
    return (20 + bright + rng.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def write_profile(tiny_zoo):
    """Return how to put a profile into the card of ``tiny2d``, with changes of the card."""
    from napari_bioseg.models import load_model
    from napari_bioseg.models.card import CARD_FILE

    def write(profile, **changes):
        card = load_model("tiny2d").card.model_copy(update={"profile": profile, **changes})
        (tiny_zoo / "tiny2d" / CARD_FILE).write_text(card.to_yaml(), encoding="utf-8")
        return card

    return write


@pytest.fixture(scope="module")
def profile(built_zoo):
    """What a model that was trained on spots knows."""
    from napari_bioseg.inference.windows import Encoder, read_windows
    from napari_bioseg.models.model import read_model
    from napari_bioseg.workflows.drift_check import describe_windows

    model = read_model(built_zoo / "tiny2d")
    encoder = Encoder(model, "cpu")
    images = [image_from_array(spots(seed), "ZYX") for seed in range(8)]
    windows = [read_windows(image, model, encoder, to_end=True) for image in images]
    known = [Known(str(i), describe_windows(some)) for i, some in enumerate(windows)]
    return make_profile(known).model_dump(mode="json")


@pytest.fixture
def logged(tmp_path, monkeypatch):
    """Return what is in the list of the images that were checked."""
    from napari_bioseg.workflows.drift_log import read_drift_log

    monkeypatch.setenv("BIOSEG_RUNS", str(tmp_path / "data"))
    return lambda model="tiny2d": [(entry.image, entry.warned) for entry in read_drift_log(model)]


@pytest.fixture
def open_panel(window, qtbot, logged):
    from qtpy.QtCore import QThreadPool

    def make(name, model="tiny2d"):
        change_settings(segment={"model": "tiny2d"}, drift={"model": "tiny2d"})
        _, panel = window.window.add_plugin_dock_widget("napari-bioseg", name)
        qtbot.waitUntil(lambda: panel.view.model.combo.currentData() == model, timeout=WAIT)
        return panel

    yield make
    assert QThreadPool.globalInstance().waitForDone(30_000)


def panel_of(window, name):
    """Return a panel that is open, by the name of its class."""
    widgets = window.window._qt_window.findChildren(object)
    return next((w for w in widgets if type(w).__name__ == name), None)


def segment(panel, qtbot):
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        panel.view.segment_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    return caught.args[0]


def test_the_warning_comes_before_the_labels_and_its_button_mends_the_image(
    window, qtbot, write_profile, profile, open_panel, logged
):
    write_profile(profile)
    image = window.add_image(255 - spots(20), name="stack", **PLACE)
    panel = open_panel("Segment")
    order = []
    panel.drift.warned.connect(lambda _checked: order.append(("warned", panel.running)))
    panel.shown.connect(lambda _layer: order.append("labels"))
    labels = segment(panel, qtbot)
    assert order == [("warned", True), "labels"]
    row = panel.view.drift
    assert row.isVisible()
    assert row.words.text() == "ℹ Light and dark are inverted: invert the image. What is found looks as usual."
    assert warning_color(window.theme) not in row.styleSheet()
    assert all(cause.words in row.words.toolTip() for cause in panel.drift.checked.drift.causes)
    assert logged() == [("stack", True)]
    provenance = result_of(labels).segmentation.provenance
    assert provenance["drift"]["causes"][0]["name"] == "inverted"

    segment(panel, qtbot)
    assert logged() == [("stack", True)], "it was looked at already"
    assert row.isVisible()

    assert row.fix_button.text() == "Invert"
    row.fix_button.click()
    qtbot.waitUntil(lambda: "stack (inverted)" in window.layers, timeout=WAIT)
    mended = window.layers["stack (inverted)"]
    assert window.layers.index(mended) == window.layers.index(image) + 1
    assert panel.view.image.layer == mended
    assert not row.isVisible()
    assert np.array_equal(np.asarray(mended.data), spots(20))
    for name in ("scale", "translate", "units", "axis_labels"):
        assert tuple(getattr(mended, name)) == tuple(getattr(image, name)), name
    segment(panel, qtbot)
    assert not row.isVisible()
    assert logged() == [("stack", True), ("stack (inverted)", False)]


def test_a_warning_of_a_poor_result_stands_out(viewer, qtbot):
    from napari_bioseg.widgets.drift_row import DriftRow

    row = DriftRow(viewer)
    qtbot.addWidget(row)
    color = warning_color("dark")
    for mild in (True, False):
        row.warn("Noise. The result is likely worse.", "• Noise", None, mild=mild)
        assert (color in row.styleSheet()) != mild
        row.show_theme("light")
        row.show_theme("dark")
        assert (color in row.styleSheet()) != mild
    assert row.words.text() == "⚠ Noise. The result is likely worse."


def test_another_image_or_model_takes_the_warning_away(window, qtbot, write_profile, profile, open_panel):
    write_profile(profile)
    other = window.add_image(spots(21), name="other", **PLACE)
    window.add_image(255 - spots(20), name="stack", **PLACE)
    panel = open_panel("Segment")
    segment(panel, qtbot)
    row = panel.view.drift
    assert row.isVisible()
    panel.view.image.combo.choose(other)
    assert not row.isVisible()
    panel.view.image.combo.choose(window.layers["stack"])
    segment(panel, qtbot)
    assert row.isVisible()
    panel.view.model.prefer("tiny3d")
    assert not row.isVisible()
    panel.view.model.prefer("tiny2d")
    panel.view.look_form.set_values({"drift": False})
    labels = segment(panel, qtbot)
    assert not row.isVisible()
    assert "drift" not in result_of(labels).segmentation.provenance


@pytest.mark.parametrize("kind", ["none", "broken"])
def test_a_look_that_cannot_be_taken_leaves_the_prediction_alone(
    window, qtbot, write_profile, profile, open_panel, kind
):
    from napari_bioseg.workflows.drift_log import read_drift_log

    broken = {**profile, "thresholds": {}}
    write_profile({} if kind == "none" else broken)
    window.add_image(255 - spots(20), name="stack", **PLACE)
    panel = open_panel("Segment")
    labels = segment(panel, qtbot)
    assert labels in window.layers
    assert "drift" not in result_of(labels).segmentation.provenance
    assert not panel.view.drift.isVisible()
    assert read_drift_log("tiny2d") == ()


def test_details_open_the_panel_on_what_was_found(window, qtbot, write_profile, profile, open_panel, logged):
    write_profile(profile)
    window.add_image(255 - spots(20), name="stack", **PLACE)
    segmenting = open_panel("Segment")
    segment(segmenting, qtbot)
    segmenting.view.drift.details_button.click()
    panel = panel_of(window, "DriftPanel")
    qtbot.waitUntil(lambda: "1 checked, 1 warned of" in panel.view.history.words.text(), timeout=WAIT)
    view = panel.view
    told = "ℹ stack: unlike what tiny2d was trained on, though what it finds looks as usual."
    assert view.verdict.text() == told
    assert [button.text() for button in view.causes.buttons] == ["Invert", "Correct"]
    cells = [view.table.item(0, j).text() for j in range(4)]
    assert cells[0] == "▲ kl"
    assert float(cells[3]) == pytest.approx(panel.checked.drift.score, abs=1e-3)
    assert "KL divergence" in view.table.item(0, 0).toolTip()
    assert not view.table.item(view.table.rowCount() - 1, 0).text().startswith("▲")
    assert len(view.plots.histogram.listDataItems()) == 2

    window.theme = "light"
    view.causes.buttons[0].click()
    qtbot.waitUntil(lambda: "stack (inverted)" in window.layers, timeout=WAIT)
    assert "Press Check" in view.verdict.text()
    with qtbot.waitSignals([panel.shown, panel.listed], timeout=WAIT):
        view.check_button.click()
    assert view.verdict.text() == "✓ stack (inverted): like what tiny2d was trained on."
    assert not view.causes.isVisible()
    qtbot.waitUntil(lambda: "2 checked, 1 warned of" in view.history.words.text(), timeout=WAIT)
    assert logged() == [("stack", True), ("stack (inverted)", False)]
    assert load_settings().drift == {"model": "tiny2d", "resample": True, "device": "auto"}


def test_a_model_without_a_profile_is_one_line(window, qtbot, write_profile, open_panel):
    write_profile({})
    window.add_image(spots(20), name="stack", **PLACE)
    panel = open_panel("Drift")
    qtbot.waitUntil(panel.view.check_button.isEnabled, timeout=WAIT)
    told = []
    from napari.utils.notifications import notification_manager

    notification_manager.notification_ready.connect(lambda event: told.append(event.message))
    panel.check()
    qtbot.waitUntil(lambda: bool(told) and not panel.running, timeout=WAIT)
    assert "has no reference profile" in told[0]


def test_detect_warns_too(window, qtbot, open_panel, logged):
    noise = np.random.default_rng(0).integers(0, 255, (2, 64, 72)).astype(np.uint8)
    window.add_image(noise, name="frames", axis_labels=("t", "y", "x"))
    panel = open_panel("Detect", "cdv-yolo")
    with qtbot.waitSignal(panel.shown, timeout=WAIT) as caught:
        panel.view.detect_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert panel.view.drift.isVisible()
    assert logged("cdv-yolo") == [("frames", True)]
    assert state_of(caught.args[0]).provenance["drift"]["warned"]


def test_what_only_a_person_can_correct_opens_the_panel_at_the_plane_that_is_furthest(
    window, qtbot, write_profile, profile, open_panel
):
    write_profile(profile)
    values = np.concatenate([spots(20)[:2], 255 - spots(20)[2:3], spots(20)[3:]])
    layer = window.add_image(values, name="stack", **PLACE)
    panel = open_panel("Drift")
    qtbot.waitUntil(panel.view.check_button.isEnabled, timeout=WAIT)
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        panel.check()
    assert panel.checked.drift.planes[0] == (2,)
    at = [button.text() for button in panel.view.causes.buttons].index("Correct")
    panel.view.causes.buttons[at].click()
    assert panel_of(window, "CorrectPanel").isVisible()
    assert window.dims.current_step[0] == 2
    assert layer in window.layers


def test_a_pixel_size_is_set_on_all_that_lies_on_the_image(viewer, make_panel, write_profile, profile):
    from napari_bioseg.models import load_model
    from napari_bioseg.widgets.drift_remedies import apply_remedy
    from napari_bioseg.workflows.drift_check import compare_with_training
    from napari_bioseg.workflows.options import DriftOptions

    card = write_profile(profile)
    card = write_profile(profile, input=card.input.model_copy(update={"pixel_size": {"Y": 0.25, "X": 0.25}}))
    cause = Cause("pixel size", "pixels look 2x coarser", "resample", 2.0)
    like = image_from_array(spots(20), "ZYX")
    found = compare_with_training(like, load_model("tiny2d"), DriftOptions(model="tiny2d"))
    drift = replace(found, causes=(cause,))
    bare = {"axis_labels": ("z", "y", "x")}
    image = viewer.add_image(spots(20), name="stack", **bare)
    on_it = viewer.add_labels(np.zeros((4, 64, 72), np.uint32), name="labels", **bare)
    larger = viewer.add_image(spots(22), name="larger", scale=(1, 3, 3), **bare)
    beside = viewer.add_image(spots(21), name="beside", **PLACE)
    panel = make_panel(viewer)
    apply_remedy(viewer, panel, Checked(image, card, drift), cause)
    for layer in (image, on_it):
        assert tuple(layer.scale) == (1.0, 0.5, 0.5)
        assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]
    assert tuple(larger.scale) == (1, 3, 3)
    assert tuple(beside.scale) == PLACE["scale"]
    assert "a guess" in panel.view.notes.text()

    panel.view.resample_form.set_values({"resample": False})
    apply_remedy(viewer, panel, Checked(beside, card, drift), cause)
    assert panel.view.resample_form.values() == {"resample": True}, "its pixel size is known: nothing is guessed"
    assert tuple(beside.scale) == PLACE["scale"]
