"""Pictures of the documentation, made by the real program.

Run it where there is a display, or under Xvfb::

    xvfb-run -a -s "-screen 0 1280x800x24" python scripts/make_screenshots.py
    ... python scripts/make_screenshots.py --membranes PATH --vessels PATH    # real data instead of the samples
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parent.parent / "docs" / "images"
SIZE = (1280, 800)
PATIENCE = 300.0


def main() -> None:
    """Make every picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--membranes", type=Path, help="EM stack instead of the sample")
    parser.add_argument("--vessels", type=Path, help="vessel volume instead of the sample")
    parser.add_argument("--axes", default="ZYX", help="of a stack that does not say them")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as config:
        os.environ["BIOSEG_CONFIG"] = config  # a new user's settings
        os.environ["BIOSEG_PROJECTS"] = f"{config}/projects"
        os.environ["BIOSEG_RUNS"] = f"{config}/runs"
        membranes(given.membranes, given.axes, given.out)
        vessels(given.vessels, given.axes, given.out)
        vessel_check(given.out)
        correct(given.out)
        fine_tune(given.out)
        vesicles(given.out)
        drift(given.membranes, given.out)
        kind(given.out)
        batch(given.membranes, given.out)
        dialog(given.out)


def membranes(path: Path | None, axes: str, out: Path) -> None:
    """The panel after Segment and a moved threshold, in both themes, and the preview before."""
    viewer, panel = _window(path, axes, "membranes", "membranes-unet2d")
    panel.preview()
    _wait(lambda: not panel.running)
    _shoot(viewer, out / "segment-preview.png")
    panel.segment()
    _wait(lambda: not panel.running)
    panel.view.labels_form.controls["instances"].inner.click()
    _settle(panel)
    _shoot(viewer, out / "segment-dark.png")
    viewer.theme = "light"
    _shoot(viewer, out / "segment-light.png")
    viewer.close()


def vessels(path: Path | None, axes: str, out: Path) -> None:
    """A vessel volume, in 2-D and in 3-D."""
    viewer, panel = _window(path, axes, "vessels", "vessels-unet3d")
    panel.segment()
    _wait(lambda: not panel.running)
    _shoot(viewer, out / "vessels-plane.png")
    viewer.dims.ndisplay = 3
    image = panel.view.image.layer
    image.visible = False
    viewer.reset_view()
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    camera.angles = tuple(a + t for a, t in zip(camera.angles, (0, 20, 20), strict=True))
    viewer.layers.selection.active.opacity = 1.0
    _shoot(viewer, out / "vessels-volume.png")
    viewer.close()


def correct(out: Path) -> None:
    """The panel Correct: strokes and a tool, slices verified, what was changed, and where next."""
    viewer, panel = _window(None, "ZYX", "membranes", "membranes-unet2d")
    panel.view.labels_form.set_values({"instances": True})
    panel.segment()
    _wait(lambda: not panel.running)
    viewer.window.remove_dock_widget("all")
    _, panel = viewer.window.add_plugin_dock_widget("napari-bioseg", "Correct")
    panel.start_correcting()
    _wait(lambda: panel.correction is not None and not panel.running)
    layer = panel.correction.layer
    for plane in (1, 2):
        viewer.dims.set_current_step(0, plane)
        panel.verify.verify_slice()
    viewer.dims.set_current_step(0, 4)
    layer.brush_size = 9
    for label, start, end in ((0, (60, 30), (60, 120)), (9000, (150, 60), (190, 110))):
        with layer.block_history():
            for i in range(40):
                y, x = (a + (b - a) * i / 39 for a, b in zip(start, end, strict=True))
                layer.paint((4, y, x), label)
    layer.fill((4, 200, 200), 9001)
    panel.view.changes.setChecked(True)
    _wait(lambda: panel.changes.changes is not None)
    panel.tools.press("split")
    _wait(lambda: panel.correction.saved_all)
    _shoot(viewer, out / "correct-dark.png")
    panel.tools.put_away()
    panel.view.changes.setChecked(False)
    panel.next.go()
    _wait(lambda: panel.view.reason.isVisibleTo(panel.view) and not panel.running)
    panel.view.map.setChecked(True)
    panel.view.scroll.verticalScrollBar().setValue(10**6)
    viewer.theme = "light"
    _shoot(viewer, out / "correct-light.png")
    viewer.close()


def fine_tune(out: Path) -> None:
    """The panel Fine-tune: while it learns from three verified slices, and before the next time."""
    viewer, panel = _window(None, "ZYX", "membranes", "membranes-unet2d")
    panel.segment()
    _wait(lambda: not panel.running)
    viewer.window.remove_dock_widget("all")
    dock, panel = viewer.window.add_plugin_dock_widget("napari-bioseg", "Correct")
    panel.start_correcting()
    _wait(lambda: panel.correction is not None and not panel.running)
    for plane in (0, 2, 4):
        viewer.dims.set_current_step(0, plane)
        panel.verify.verify_slice()
    _wait(lambda: panel.correction.saved_all)
    viewer.window.remove_dock_widget(dock)
    _, panel = viewer.window.add_plugin_dock_widget("napari-bioseg", "Fine-tune")
    _wait(panel.view.start_button.isEnabled)
    viewer.theme = "light"
    _shoot(viewer, out / "finetune-light.png")
    viewer.theme = "dark"
    panel.view.form.set_values({"effort": "quick"})
    epochs: list[Any] = []
    panel.training.looked.connect(epochs.append)
    panel.fine_tune()
    _wait(lambda: len(epochs) >= 3)
    _shoot(viewer, out / "finetune-dark.png")
    panel.training.cancel(discard=True)
    _wait(lambda: not panel.running)
    viewer.close()


def vessel_check(out: Path) -> None:
    """The panel Vessel check on simulated vessels with a piece cut out, gone to a break."""
    import napari
    import numpy as np

    from napari_bioseg.simulate import vessel_tree

    image, truth = vessel_tree((40, 256, 256), (2.0, 1.0, 1.0), 4, density=0.02, large_vessels=1)
    labels = truth.astype(np.uint32)
    labels[:, 120:128] = 0
    place = {"scale": (2.0, 1.0, 1.0), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    viewer.add_image(image, name="vessels", **place)
    viewer.add_labels(labels, name="vessels · vessels-unet3d", opacity=0.4, **place)
    _, panel = viewer.window.add_plugin_dock_widget("napari-bioseg", "Vessel check")
    viewer.reset_view()
    panel.check()
    _wait(lambda: not panel.running)
    panel.view.table.selectRow(0)
    for theme, name in (("light", "vessels-light.png"), ("dark", "vessels.png")):
        viewer.theme = theme
        _shoot(viewer, out / name)
    viewer.dims.ndisplay = 3
    _shoot(viewer, out / "vessels-skeleton.png")
    viewer.close()


def vesicles(out: Path) -> None:
    """The panel Detect: thresholds moved, a box drawn, a frame ticked, the thresholds fitted."""
    import napari
    import numpy as np
    from napari.layers import Layer

    from napari_bioseg.plugin import samples

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    for data in samples.vesicles():
        viewer.add_layer(Layer.create(*data))
    viewer.layers.selection.active = viewer.layers[0]
    _, panel = viewer.window.add_plugin_dock_widget("napari-bioseg", "Detect")
    _wait(panel.view.detect_button.isEnabled)
    viewer.reset_view()
    panel.detect()
    _wait(lambda: not panel.running)
    layer = panel.boxes.layer
    layer.add_rectangles(np.array([[9, 96, 90], [9, 96, 97], [9, 104, 97], [9, 104, 90]]))
    panel.boxes.toggle_checked()
    panel.fit()
    _wait(lambda: not panel.running)
    _turn(0.5)
    panel.view.scroll.ensureWidgetVisible(panel.view.boxes.table)
    for theme in ("dark", "light"):
        viewer.theme = theme
        _shoot(viewer, out / f"detect-{theme}.png")
    viewer.close()


def drift(path: Path | None, out: Path) -> None:
    """The warning of an inverted image beside its labels, and the panel Drift on it after weeks of other images."""
    import napari
    import tifffile

    from napari_bioseg.plugin import samples
    from napari_bioseg.widgets.drift_panel import DriftPanel

    for day in range(0, 90, 2):
        _log_check(day, 0.4 if day < 66 else 1.3)
    stack, attributes, _ = samples.membranes()[0]
    stack = tifffile.imread(path)[:8] if path else stack
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    place = {name: attributes[name] for name in ("scale", "units", "axis_labels")}
    viewer.add_image(255 - stack, name="inverted EM", **place)
    _, panel = viewer.window.add_plugin_dock_widget("napari-bioseg", "Segment")
    panel.view.model.prefer("membranes-unet2d")
    _wait(panel.view.segment_button.isEnabled)
    viewer.reset_view()
    panel.segment()
    _wait(lambda: not panel.running)
    _shoot(viewer, out / "drift-warning.png")
    panel.drift.show_details()
    _turn(1.0)
    _shoot(viewer, out / "drift.png")
    (panel,) = viewer.window._qt_window.findChildren(DriftPanel)
    panel.view.scroll.verticalScrollBar().setValue(10**6)
    viewer.theme = "light"
    _shoot(viewer, out / "drift-light.png")
    viewer.close()


def kind(out: Path) -> None:
    """The warning before a model for EM runs on a photograph."""
    import napari
    from skimage import data

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    viewer.add_image(data.coffee(), name="cup", rgb=True)
    _, panel = viewer.window.add_plugin_dock_widget("napari-bioseg", "Segment")
    panel.view.model.choose("membranes-unet2d")
    _wait(panel.view.segment_button.isEnabled)
    viewer.reset_view()
    panel.segment()
    _wait(lambda: not panel.running)
    _shoot(viewer, out / "kind-warning.png")
    viewer.close()


def _log_check(day: int, score: float) -> None:
    """Keep the check of an image some days ago."""
    import json
    from datetime import UTC, datetime, timedelta

    from napari_bioseg.drift import DISTANCES
    from napari_bioseg.runs.register import data_folder

    score *= 1 + (day % 7 - 3) / 20
    time = (datetime.now(UTC) - timedelta(days=91 - day)).isoformat(timespec="seconds")
    entry = {"time": time, "image": f"day {day}", "warned": score > 1, "score": score, "causes": []}
    path = data_folder() / "drift" / "membranes-unet2d.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({**entry, "distances": dict.fromkeys(DISTANCES, score)}) + "\n")


def batch(path: Path | None, out: Path) -> None:
    """The panel Batch: five sections done, a broken file failed, one result open."""
    import napari
    import tifffile

    from napari_bioseg.plugin import samples
    from napari_bioseg.plugin.settings import change_settings

    change_settings(segment={"model": "membranes-unet2d", "instances": True})
    stack = tifffile.imread(path) if path else samples.membranes()[0][0]
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    _, panel = viewer.window.add_plugin_dock_widget("napari-bioseg", "Batch")
    with tempfile.TemporaryDirectory() as data:
        sections = Path(data, "sections")
        sections.mkdir()
        for i, plane in enumerate(stack[:5]):
            tifffile.imwrite(sections / f"section-{i:02}.tif", plane, photometric="minisblack")
        (sections / "section-05.tif").write_bytes(b"II*\0 and no more")
        panel.view.inputs.add([str(sections)])
        panel.run()
        _wait(lambda: not panel.running)
        panel.view.queue.selectRow(1)
        panel.open_result()
        _wait(lambda: len(viewer.layers) == 2)
        viewer.reset_view()
        _shoot(viewer, out / "batch-dark.png")
        viewer.close()


def dialog(out: Path) -> None:
    """The question for the axes of a bare stack."""
    import napari

    from napari_bioseg.core.errors import UnknownAxesError
    from napari_bioseg.widgets.axes_dialog import AxesDialog

    viewer = napari.Viewer(show=True)
    error = UnknownAxesError("/data/stack.tif", "", shape=(24, 512, 512), choices=("ZYX", "TYX", "CYX"))
    asked = AxesDialog(error, Path("/data"))
    asked.setStyleSheet(viewer.window._qt_window.styleSheet())
    asked.show()
    _turn(0.5)
    asked.grab().save(str(out / "axes-dialog.png"))
    asked.deleteLater()
    viewer.close()


def _window(path: Path | None, axes: str, sample: str, model: str) -> tuple[Any, Any]:
    import napari

    from napari_bioseg.plugin import samples
    from napari_bioseg.plugin.reader import read_layers

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    layers = read_layers(path, lambda _path, _error: axes) if path else getattr(samples, sample)()
    for data, attributes, kind in layers:
        getattr(viewer, f"add_{kind}")(data, **attributes)
    viewer.layers.selection.active = viewer.layers[0]
    _, panel = viewer.window.add_plugin_dock_widget("napari-bioseg", "Segment")
    _wait(lambda: panel.view.model.combo.findData(model) >= 0)
    panel.view.model.prefer(model)
    _wait(panel.view.segment_button.isEnabled)
    viewer.reset_view()
    _turn(0.5)
    return viewer, panel


def _settle(panel: Any) -> None:
    done: list[Any] = []
    panel.tuner.settled.connect(done.append)
    _wait(lambda: bool(done))


def _shoot(viewer: Any, path: Path) -> None:
    _turn(1.0)
    viewer.screenshot(str(path), canvas_only=False, flash=False)


def _wait(done: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > until:
            raise TimeoutError("the program did not answer")
        _turn(0.02)


def _turn(seconds: float) -> None:
    from qtpy.QtWidgets import QApplication

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        QApplication.processEvents()
        time.sleep(0.005)


if __name__ == "__main__":
    main()
