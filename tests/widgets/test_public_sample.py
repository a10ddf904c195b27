"""Samples that are downloaded leave the window free, and can be stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.gui

WAIT = 60_000


@pytest.fixture
def window(make_napari_viewer_proxy):
    return make_napari_viewer_proxy(show=True, strict_qt="raise")


def test_the_layer_of_the_menu_entry_arrives_with_its_scale(
    window, qtbot, public_image, public_planes, downloads, monkeypatch
):
    from napari._app_model import get_app_model

    from napari_bioseg.io import PUBLIC_IMAGES

    monkeypatch.setitem(PUBLIC_IMAGES, "drosophila-vnc", public_image)
    get_app_model().commands.execute_command("napari-bioseg.sample_drosophila_vnc")
    qtbot.waitUntil(lambda: len(window.layers) == 1, timeout=WAIT)
    (layer,) = window.layers
    assert np.array_equal(np.asarray(layer.data), public_planes)
    assert np.allclose(layer.scale, (0.05, 0.0046, 0.0046))
    assert layer.name == public_image.title


def test_a_failed_download_is_a_notification(window, qtbot, public_image, downloads):
    from napari.utils.notifications import notification_manager

    from napari_bioseg.widgets.public_sample import download

    before = len(notification_manager.records)
    with qtbot.waitSignal(download(window, replace(public_image, sha256="0" * 64)).finished, timeout=WAIT):
        pass
    assert "sha256" in notification_manager.records[before].message
    assert not window.layers


def test_cancel_in_the_dialog_stops_it(window, qtbot, public_image, downloads):
    from qtpy.QtWidgets import QApplication, QProgressDialog, QPushButton

    from napari_bioseg.widgets.public_sample import download

    task = download(window, public_image)
    (dialog,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QProgressDialog) and w.isVisible()]
    assert dialog.parentWidget() is not None  # it has the theme of the window, and stays before it
    with qtbot.waitSignal(task.finished, timeout=WAIT):
        dialog.findChild(QPushButton).click()
    assert not window.layers
    assert not list(downloads.glob("*"))
