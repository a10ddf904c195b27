"""The copied command says all that differs from the defaults, and nothing else."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from napari_bioseg.plugin.command import command_line
from napari_bioseg.plugin.layers import Origin
from napari_bioseg.workflows.options import SegmentOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="quoting of a POSIX shell")


def test_defaults_are_left_out():
    text = command_line(Path("/a b/c.tif"), SegmentOptions(model="m"), Path("out.ome.zarr"))
    assert text == "bioseg segment '/a b/c.tif' --out out.ome.zarr --model m"


def test_everything_else_is_said():
    options = SegmentOptions(
        model="m", threshold=0.25, instances=True, resample=False, region="Z=3,Y=0:5", channel=2, tile=64, device="cpu"
    )
    words = shlex.split(command_line(Path("c.tif"), options, Path("o.tif"), Origin("ZYX", 1)))
    pairs = {"--threshold": "0.25", "--region": "Z=3,Y=0:5", "--channel": "2", "--tile": "64", "--device": "cpu",
             "--axes": "ZYX", "--series": "1"}  # fmt: skip
    for flag, value in pairs.items():
        assert words[words.index(flag) + 1] == value
    assert {"--instances", "--no-resample"} <= set(words)
