"""Options of `predict`, loaded without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_bioseg.core.options import Options


class SeenOptions(Options):
    """What of an image a network sees, as it comes, and where it runs."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Where the network runs; auto: a GPU if there is one"
    )
    channel: int = Field(0, ge=0, description="Channel to segment, counted from 0")


class NetworkOptions(SeenOptions):
    """What of an image a network sees, and where it runs."""

    resample: bool = Field(True, description="Bring the image to the pixel size that the model was trained at")


class PredictOptions(NetworkOptions):
    """How a network is run; but for `resample`, `precision` and `channel` nothing here changes the result."""

    tile: int | None = Field(
        None,
        ge=16,
        le=65536,
        description="Edge of a tile along Y and X in pixels; none: chosen for this model and memory",
    )
    workers: int | None = Field(
        None, ge=1, le=64, description="Tiles in the network at once, sharing the processor's cores; none: 1"
    )
    backend: Literal["auto", "torch", "openvino"] = Field(
        "auto", description="What runs the network on the CPU; auto: OpenVINO for larger images where it is installed"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="bfloat16 is faster on processors that have it, and slightly less exact"
    )
