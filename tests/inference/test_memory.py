"""A volume of 1.6 GB on disk is segmented in less memory than its labels alone would take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, resource, sys
from pathlib import Path

import dask.array as da
import numpy as np
import torch
import zarr

from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.models.card import ArchitectureSpec, Card, InputSpec
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.postprocess import DecodeOptions, decode_volume


class Sharpen(Network):
    stride, halo = (1, 1), (1, 1)

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(1, 1, 3, padding=1)
        torch.nn.init.constant_(self.convolution.weight, -1.0)
        torch.nn.init.constant_(self.convolution.bias, -1.0)
        self.convolution.weight.data[..., 1, 1] = 20.0

    def forward(self, x):
        return self.convolution(x)


folder = Path(sys.argv[1])
shape = (48, 2048, 2048)
disk = zarr.create_array(folder / "image.zarr", shape=shape, chunks=(16, 512, 512), dtype="float64", fill_value=0)
for i in range(3):  # of each sixteenth plane one chunk is not empty
    disk[16 * i + 3, 512:1024, 512:1024] = 1.0
card = Card(
    name="sharpen", title="Sharpen", summary="None", licence="none", data="none", split="none",
    architecture=ArchitectureSpec(name="none"), classes=({"value": 1, "name": "thing"},),
    input=InputSpec(axes="YX", normalisation={"method": "fixed", "low": 0, "high": 1}),
)
image = image_from_array(da.from_zarr(disk), "ZYX")


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


before = peak()
prediction = predict(image, Model(card, Sharpen().eval()), store=folder / "probabilities.zarr", job=Job())
labels = decode_volume(prediction, DecodeOptions(instances=True, min_size=10), store=folder / "labels.zarr")
grown = (peak() - before) / (4 * labels.size)
found = [int(labels[z].max()) for z in (3, 4, 35)]
print(json.dumps({"grown": grown, "found": found, "done": prediction.done, "pixels": int((labels[3] > 0).sum())}))
"""


@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no getrusage")
def test_memory_does_not_grow_with_the_volume(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["grown"] < 1
    assert told["done"]
    assert told["found"] == [1, 0, 3]
    assert told["pixels"] == 512 * 512
