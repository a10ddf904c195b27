"""Curves and patches of a training, drawn from the files of a run."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.gui


def lines(count, **more):
    return [{"epoch": i + 1, "loss": 1 / (i + 1), "score": None, "held_out": None, **more} for i in range(count)]


@pytest.fixture
def curves(qtbot, viewer):
    from napari_bioseg.widgets.curves import Curves

    made = Curves(viewer)
    qtbot.addWidget(made)
    made.resize(350, 360)
    made.show()
    return made


def drawn(curves, name):
    x, y = curves.items[name].getOriginalDataset()
    return ([], []) if x is None else (list(x), list(y))


def test_loss_and_scores_are_drawn_from_a_run(curves, tmp_path):
    from napari_bioseg.runs import Run

    run = Run(tmp_path / "run")
    for line in lines(4, held_out=0.5):
        run.log(**line)
    run.log(test="a.tif", scores={"dice": 1})
    curves.show_metric("iou")
    curves.show_lines(run.metrics())
    assert drawn(curves, "loss") == ([1, 2, 3, 4], [1, 1 / 2, 1 / 3, 1 / 4])
    assert drawn(curves, "held_out") == ([1, 2, 3, 4], [0.5] * 4)
    assert drawn(curves, "score") == ([], [])
    assert curves.plots["scores"].isVisibleTo(curves)
    assert "iou, held out 0.500" in curves.legends["scores"].text()
    assert "validation" not in curves.legends["scores"].text()


def test_without_a_score_words_say_why(curves):
    curves.show_lines(lines(2))
    curves.show_note("No score: 2 slices verified, 3 are needed.")
    assert not curves.plots["scores"].isVisibleTo(curves)
    assert curves.note.isVisibleTo(curves)
    assert "3 are needed" in curves.note.text()


def test_what_is_no_number_or_has_no_logarithm_is_left_out(curves, qtbot):
    odd = [{"epoch": 4, "loss": float("nan")}, {"epoch": 5, "loss": 0.0}, {"epoch": 6, "loss": float("inf")}]
    curves.show_lines([*lines(3), *odd])
    assert drawn(curves, "loss")[0] == [1, 2, 3, 5]
    curves.log_box.setChecked(True)
    assert drawn(curves, "loss")[0] == [1, 2, 3]
    shown = pytest.approx([np.log10(1 / 3), 0], abs=0.2)
    qtbot.waitUntil(lambda: curves.plots["loss"].viewRange()[1] == shown)


def test_show_all_takes_a_zoom_back(curves, qtbot):
    curves.show_lines(lines(20, held_out=0.5))
    plot = curves.plots["loss"]
    plot.setXRange(3, 5, padding=0)
    assert curves.plots["scores"].viewRange()[0] == pytest.approx([3, 5], abs=0.5)
    curves.all_button.click()
    qtbot.waitUntil(lambda: plot.viewRange()[0][1] > 19)


def test_colours_follow_the_theme(curves):
    curves.show_lines(lines(2))
    before = curves.items["loss"].opts["pen"].color().lightness()
    curves.show_theme("light")
    assert curves.items["loss"].opts["pen"].color().lightness() < before
    assert curves.plots["loss"].backgroundBrush().color().lightness() > 128


def test_the_strip_shows_two_patches_and_where_they_are_from(qtbot):
    from napari_bioseg.widgets.preview_strip import PreviewStrip
    from napari_bioseg.workflows.training_preview import Preview

    strip = PreviewStrip()
    qtbot.addWidget(strip)
    strip.show_preview(None)
    assert not strip.isVisibleTo(strip.parentWidget())
    reds = np.zeros((2, 30, 60, 3), np.uint8)
    reds[..., 0] = 255
    strip.show_preview(Preview(7, True, tuple(reds)))
    strip.resize(306, 200)
    strip.show()
    assert strip.title.text() == "Held-out patches, epoch 7"
    assert [(p.x(), p.width(), p.height()) for p in strip.pictures.places()] == [(0, 150, 75), (156, 150, 75)]
    shot = strip.pictures.grab().toImage()
    ratio = shot.devicePixelRatio()
    assert shot.pixelColor(int(200 * ratio), int(20 * ratio)).red() == 255
    strip.show_preview(Preview(7, False, tuple(reds)))
    assert strip.title.text() == "Patches it learns from, epoch 7"
