"""How long the panel "Segment" keeps the GUI thread, beside napari itself: ``python -m benchmarks.gui_thread``.

Run it under a display (``xvfb-run -a``). What counts is the processor time that the GUI thread itself spends in one
turn of the event loop, so that neither a busy machine nor other threads count; the viewer has no window, so drawing
does not either. Three tries; of each step the best is printed, since what blocks does so every time.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.qt import get_qapp
from qtpy.QtCore import QEventLoop, Qt, QThreadPool, QTimer

from napari_bioseg.plugin.settings import change_settings
from napari_bioseg.simulate import em_membranes
from napari_bioseg.widgets.segment_panel import SegmentPanel

SHAPE, MODEL = (8, 1024, 1024), "membranes-unet2d"
THRESHOLDS = (0.8, 0.3, 0.7)  # one a try


class Heartbeat:
    """The longest stretch of processor time between two beats of a timer on the GUI thread, s."""

    def __init__(self) -> None:
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.setInterval(1)
        self.timer.timeout.connect(self.beat)
        self.longest = self.last = 0.0

    def beat(self) -> None:
        """End one stretch and begin another."""
        now = time.thread_time()
        self.longest = max(self.longest, now - self.last)
        self.last = now

    def __enter__(self) -> Heartbeat:
        # What was made before is not the step's garbage: collecting it takes longer than all that the panel does.
        gc.collect()
        gc.freeze()
        self.last = time.thread_time()
        self.timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.beat()
        self.timer.stop()
        gc.unfreeze()


def until(happened: Callable[[], bool]) -> None:
    """Run the event loop until something has happened."""
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: loop.quit() if happened() else None)
    timer.start(1)
    loop.exec()


def longest(step: Callable[[], object], *signals: Any) -> float:
    """Return the longest stretch from a step of the user until each signal has come, s."""
    came = [False] * len(signals)
    for i, signal in enumerate(signals):
        signal.connect(lambda *_, i=i: came.__setitem__(i, True))
    with Heartbeat() as heart:
        step()
        until(lambda: all(came))
    return heart.longest


def adding_labels(viewer: ViewerModel, labels: np.ndarray) -> float:
    """Return the processor time that napari takes to add labels, the second time, s."""
    for _ in range(2):
        began = time.thread_time()
        layer = viewer.add_labels(labels)
        spent = time.thread_time() - began
        viewer.layers.remove(layer)
    return spent


def steps(panel: SegmentPanel, threshold: float, out: Path) -> dict[str, float]:
    """Return the longest stretch of each step, s."""
    move = panel.view.labels_form.controls["threshold"].move
    return {
        "segment": longest(panel.segment, panel.shown),
        "tune": longest(partial(move, threshold), panel.tuner.plane_shown, panel.tuner.settled),
        "save": longest(partial(panel.save_to, out), panel.saved),
    }


def main() -> None:
    """Print one line a step."""
    get_qapp()
    values, truth = em_membranes(SHAPE, 0)
    viewer = ViewerModel()
    viewer.add_image(values, axis_labels=("z", "y", "x"), name="large", contrast_limits=(0, 255))
    alone = adding_labels(viewer, truth.astype(np.uint32))
    with TemporaryDirectory() as folder:
        os.environ["BIOSEG_CONFIG"] = folder  # the user's own settings stay as they are
        change_settings(segment={"model": MODEL})
        panel = SegmentPanel(viewer)
        panel.show()
        until(lambda: panel.warm and panel.view.model.card() is not None)
        panel.view.labels_form.set_values({"instances": True, "fill_holes": 20})
        tries = [steps(panel, threshold, Path(folder) / f"{threshold}.ome.tif") for threshold in THRESHOLDS]
        QThreadPool.globalInstance().waitForDone()
        panel.close()
    sys.stdout.write(f"{'x'.join(map(str, SHAPE)):11} longest stretch  napari adds labels  ratio\n")
    for name in tries[0]:
        best = min(one[name] for one in tries)
        sys.stdout.write(f"{name:11} {best * 1e3:12.1f} ms {alone * 1e3:16.1f} ms {best / alone:6.2f}\n")


if __name__ == "__main__":
    main()
