"""The window answers all the time: nothing heavy runs on the GUI thread.

Told by which functions run in which thread, not by a clock: ``benchmarks/gui_thread.py`` measures.
"""

from __future__ import annotations

import gc
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import napari_bioseg

pytestmark = pytest.mark.gui

WAIT = 120_000
PACKAGE = Path(napari_bioseg.__file__).parent
TORCH = Path(find_spec("torch").origin).parent
WRITERS = {".ome.tif": "io/tiff_writer.py:write_labels_tiff", ".ome.zarr": "io/omezarr_writer.py:write_ome_zarr"}
HEAVY = ("inference/", "io/", "models/", "plugin/result.py", "postprocess/", "tasks/", "torch/", "workflows/")
LIGHT = (
    "models/zoo.py:refusal",  # compares axes, to enable buttons
    "plugin/result.py:LivePlane.__init__",  # which plane
    "plugin/result.py:LivePlane.shows",  # compares two places
    "plugin/result.py:Result.done",  # a flag
    "plugin/result.py:decode_options",  # a few options by name
    "torch/package/package_importer.py:_patched_getfile",  # what torch puts in place of inspect.getfile, for all
    "postprocess/options.py:",  # fills in the model's values
    "models/card.py:InputSpec.sizes",  # three numbers as text
    "models/card.py:OutputSpec.decision",  # a few options by name
    "models/pixel_size.py:",  # a few numbers: which model is proposed
    "workflows/drift_look.py:drift_options",  # a few options as others
    "workflows/identification.py:Identity.confidence",  # the largest of five numbers
    "workflows/region.py:format_region",  # a few numbers as text
    "workflows/segmentation.py:Segmentation.provenance",  # the options as a dict
)


@cache
def place(file):
    """Where a function of ours or of torch is defined; empty for those of others."""
    path = Path(file)
    if path.is_relative_to(PACKAGE):
        return path.relative_to(PACKAGE).as_posix()
    return path.relative_to(TORCH.parent).as_posix() if path.is_relative_to(TORCH) else ""


class Watch:
    """Which functions are called in the thread that it is made in, and which in the workers.

    Each as ``room/module.py:function``.
    """

    def __init__(self, monkeypatch):
        from napari_bioseg.widgets.worker import JobWorker

        self.here, self.in_workers = set(), set()
        work = JobWorker.work

        def watched(worker):
            # Threads of Qt's pool cannot be reached from another one.
            sys.setprofile(self.noting(self.in_workers))
            try:
                return work(worker)
            finally:
                sys.setprofile(None)

        monkeypatch.setattr(JobWorker, "work", watched)

    @staticmethod
    def noting(names):
        def note(frame, event, _argument):
            where = place(frame.f_code.co_filename) if event == "call" else ""
            if where:
                names.add(f"{where}:{frame.f_code.co_qualname}")

        return note

    def __enter__(self):
        gc.collect()  # what tests before left to be cleaned up is not the panel's
        self.before = sys.getprofile()
        sys.setprofile(self.noting(self.here))
        return self

    def __exit__(self, *_):
        sys.setprofile(self.before)

    @property
    def heavy(self):
        """What should not have been called here."""
        return {name for name in self.here if name.startswith(HEAVY) and not name.startswith(LIGHT)}


def test_the_watch_sees_heavy_work_on_the_gui_thread(monkeypatch):
    import torch

    from napari_bioseg.postprocess.threshold import classify

    with Watch(monkeypatch) as watch:
        classify(np.zeros((1, 2, 2), np.float16), 0.5, "sigmoid")
        torch.nn.ReLU()(torch.zeros(1))
    assert {"postprocess/threshold.py:classify", "torch/nn/modules/activation.py:ReLU.forward"} <= watch.heavy


def test_segmenting_tuning_and_saving_leave_the_gui_thread_free(qtbot, viewer, make_panel, tmp_path, monkeypatch):
    values = np.random.default_rng(0).integers(0, 255, (3, 64, 64)).astype(np.uint8)
    viewer.add_image(values, axis_labels=("z", "y", "x"), name="image", contrast_limits=(0, 255))
    panel = make_panel(viewer)
    panel.view.labels_form.set_values({"instances": True, "fill_holes": 20})
    qtbot.waitUntil(lambda: panel.warm, timeout=WAIT)
    with Watch(monkeypatch) as watch:
        with qtbot.waitSignal(panel.shown, timeout=WAIT):
            panel.segment()
        with qtbot.waitSignal(panel.tuner.settled, timeout=WAIT):
            panel.view.labels_form.controls["threshold"].move(0.8)
        for ending in WRITERS:
            with qtbot.waitSignal(panel.saved, timeout=WAIT):
                panel.save_to(tmp_path / f"out{ending}")
            qtbot.waitUntil(lambda: not panel.running, timeout=WAIT)
    assert "widgets/tuner.py:Tuner._land" in watch.here
    assert watch.heavy == set()
    assert watch.in_workers >= {
        "models/zoo.py:load_model",
        "inference/tiled.py:predict",
        "postprocess/plane.py:PlaneDecoder.decode",
        "postprocess/volume.py:decode_volume",
        "plugin/result.py:shown",
        *WRITERS.values(),
    }
