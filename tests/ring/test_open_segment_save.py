"""From a file to labels on disk, as a person at the command line would go."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_bioseg import open_image
from napari_bioseg.metrics import dice
from napari_bioseg.simulate import sample

pytestmark = pytest.mark.ring


def bioseg(*arguments: object) -> subprocess.CompletedProcess[str]:
    run = "from napari_bioseg.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", run, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("name", "model"), [("membranes", "membranes-unet2d"), ("vessels", "vessels-unet3d")])
def test_open_segment_save(name, model, tmp_path):
    image = sample(name)
    source, out = tmp_path / "stack.ome.tif", tmp_path / "labels.ome.zarr"
    size = {f"PhysicalSize{a}": s for a, s in zip(image.axes, image.scale, strict=True)}
    tifffile.imwrite(source, image.data.compute(), metadata={"axes": image.axes, **size})

    done = bioseg("segment", source, "--model", model, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["written"] == [str(out)]

    opened = open_image(out)
    (labels,) = opened.labels
    assert labels.axes == opened.axes == image.axes
    assert labels.shape == image.shape
    assert labels.dtype == np.uint32
    assert labels.pixel_size() == pytest.approx(image.pixel_size())
    assert np.array_equal(opened.data.compute(), image.data.compute())
    truth = image.labels[0].data.compute() > 0
    # The samples are simulated, the models were trained on real images: they must carry over.
    assert dice(labels.data.compute() > 0, truth) > 0.8


def test_what_cannot_be_done_is_told_in_one_line(tmp_path):
    done = bioseg("segment", tmp_path / "missing.tif", "--model", "membranes-unet2d", "--out", tmp_path / "a.tif")
    assert done.returncode == 1
    assert "missing.tif" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
