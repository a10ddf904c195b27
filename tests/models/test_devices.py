"""What is computed in bfloat16."""

from __future__ import annotations

import subprocess
import sys

import pytest

from napari_bioseg.models.devices import has_bfloat16, safe_for_amx, trains_in_bfloat16

_STEP = """
import torch
from napari_bioseg.models.devices import trains_in_bfloat16
from napari_bioseg.models.unet import UNet

patch = {patch}
network = UNet(dims=3, widths=[16, 32]).to(memory_format=torch.channels_last_3d)
for _ in range(3):
    with torch.autocast("cpu", torch.bfloat16, enabled=trains_in_bfloat16("cpu", patch)):
        logits = network(torch.rand(1, 1, *patch))
    logits.float().mean().backward()
"""


@pytest.mark.parametrize(
    ("patch", "safe"),
    [((12, 96, 96), True), ((16, 128, 128), True), ((4, 80, 80), True), ((11, 96, 96), False), ((16, 96, 192), False)],
)
def test_planes_that_are_few_or_large_are_not_trained_in_bfloat16(patch: tuple[int, ...], safe: bool) -> None:
    assert safe_for_amx(patch) == safe


def test_2d_is_trained_in_bfloat16_wherever_it_is_fast() -> None:
    assert trains_in_bfloat16("cpu", (1024, 1024)) == has_bfloat16("cpu")


@pytest.mark.parametrize("patch", [(4, 96, 96), (12, 96, 96)])
def test_a_step_in_3d_does_not_end_the_process(patch: tuple[int, ...]) -> None:
    # In a process of its own: with oneDNN's AMX kernels the first of them ended it.
    command = [sys.executable, "-c", _STEP.format(patch=patch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
