"""The main job in a real napari window: open, preview, segment, move the threshold, save, reopen."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

import napari_bioseg
from napari_bioseg.simulate import sample

pytestmark = [pytest.mark.ring, pytest.mark.gui]

WAIT = 60_000


@pytest.fixture
def stack(tmp_path):
    image = sample("membranes")
    path = tmp_path / "stack.ome.tif"
    sizes = {f"PhysicalSize{a}": s for a, s in zip(image.axes, image.scale, strict=True)}
    tifffile.imwrite(path, image.data.compute(), metadata={"axes": image.axes, **sizes})
    return path


def test_open_preview_segment_tune_save_reopen(make_napari_viewer_proxy, qtbot, tiny_zoo, stack, tmp_path):
    from qtpy.QtCore import Qt

    viewer = make_napari_viewer_proxy(show=True, strict_qt="raise")
    viewer.open(stack, plugin="napari-bioseg")
    _, panel = viewer.window.add_plugin_dock_widget("napari-bioseg", "Segment")
    view = panel.view
    qtbot.waitUntil(view.segment_button.isEnabled, timeout=WAIT)
    assert "0.05 × 0.004 × 0.004 µm" in view.image.facts.text()
    view.model.choose("tiny2d")

    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    camera.zoom *= 4
    qtbot.waitUntil(lambda: np.ptp(viewer.layers[0].corner_pixels[:, 2]) < 200, timeout=WAIT)
    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        qtbot.mouseClick(view.preview_button, Qt.MouseButton.LeftButton)
    preview = viewer.layers[-1]
    assert preview.name == "stack · preview"
    assert preview.data.shape[0] == 1
    assert preview.data.shape[2] < 200

    with qtbot.waitSignal(panel.shown, timeout=WAIT):
        qtbot.mouseClick(view.segment_button, Qt.MouseButton.LeftButton)
    assert [layer.name for layer in viewer.layers] == ["stack", "stack · tiny2d"]
    image, labels = viewer.layers
    assert labels.data.dtype == np.uint32
    assert np.array_equal(labels.scale, image.scale)
    assert np.array_equal(labels.translate, image.translate)
    assert labels.units == image.units
    expected = napari_bioseg.segment(stack, model="tiny2d")
    assert np.array_equal(labels.data, expected.labels[...])
    assert 0 < np.count_nonzero(labels.data) < labels.data.size

    threshold = 0.8
    with qtbot.waitSignals([panel.tuner.plane_shown, panel.tuner.settled], timeout=WAIT):
        view.labels_form.controls["threshold"].move(threshold)
    tuned = napari_bioseg.segment(stack, model="tiny2d", threshold=threshold)
    assert np.array_equal(labels.data, tuned.labels[...])
    assert not np.array_equal(labels.data, expected.labels[...])

    out = tmp_path / "labels.ome.zarr"
    with qtbot.waitSignal(panel.saved, timeout=WAIT):
        panel.save_to(out)
    again_image, again = viewer.open(out, plugin="napari-bioseg")
    assert np.array_equal(np.asarray(again_image.data), np.asarray(image.data))
    assert np.array_equal(again.data, labels.data)
    assert np.allclose(again.scale, image.scale)
    assert again.metadata["bioseg"]["provenance"]["options"]["threshold"] == pytest.approx(threshold)


def test_a_damaged_file_gives_one_line(make_napari_viewer_proxy, tmp_path):
    viewer = make_napari_viewer_proxy(strict_qt="raise")
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"II*\0 and then nothing of use")
    with pytest.raises(Exception, match=r"bad\.tif") as caught:
        viewer.open(bad, plugin="napari-bioseg")
    assert "\n" not in str(caught.value)
    assert len(viewer.layers) == 0
