"""The command line that does what the panel does."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from napari_bioseg.plugin.layers import Origin
from napari_bioseg.workflows.options import DetectOptions, SegmentOptions


def command_line(source: Path, options: SegmentOptions | DetectOptions, out: Path, origin: Origin | None = None) -> str:
    """Return the ``bioseg segment`` or ``bioseg detect`` line for options; those at their default are left out.

    Parameters
    ----------
    source : Path
        The image.
    options : SegmentOptions or DetectOptions
        With region and channel; their kind says which verb.
    out : Path
        Where the labels or boxes go.
    origin : Origin, optional
        How the image was opened.
    """
    origin = origin or Origin()
    verb = "detect" if isinstance(options, DetectOptions) else "segment"
    words = ["bioseg", verb, str(source), "--out", str(out), "--model", options.model]
    if origin.axes:
        words += ["--axes", origin.axes]
    if origin.series:
        words += ["--series", str(origin.series)]
    for name, field in type(options).model_fields.items():
        value = getattr(options, name)
        if name != "model" and value != field.get_default(call_default_factory=True):
            words += _flag(name, value)
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def beside(source: Path, ending: str) -> Path:
    """Return a name beside an image: its own, with another ending."""
    name = source.name
    for own in (".ome.zarr", ".ome.tiff", ".ome.tif", ".nii.gz"):
        if name.lower().endswith(own):
            return source.with_name(name[: -len(own)] + ending)
    return source.with_name(source.stem + ending)


def _flag(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", str(value)]
