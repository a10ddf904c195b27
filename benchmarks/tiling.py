"""Tiled prediction beside MONAI's `sliding_window_inference` and beside the bare forward pass.

``python -m benchmarks.tiling [REPEATS]``

All three run the same network (batch normalisation folded, channels last in 2-D) with the same number of threads;
MONAI gets windows of the size of our network input and the overlap of our halo. Each measurement is a process of its
own, and the methods take turns, so that other load on the machine falls on all of them. Memory is what the peak of
the process rises by over what it was when network and image were ready.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.inference.engine import fused
from napari_bioseg.inference.tiles import Axis, Span
from napari_bioseg.models.card import ArchitectureSpec, Card, InputSpec
from napari_bioseg.models.model import Model
from napari_bioseg.models.normalise import Normalisation
from napari_bioseg.models.unet import UNet

METHODS = ("forward", "monai", "bioseg")


@dataclass(frozen=True)
class Case:
    """A network, an image, and a tile."""

    shape: tuple[int, ...]
    tile: int
    widths: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...] | None = None

    @property
    def dims(self) -> int:
        """Number of axes."""
        return len(self.shape)


CASES = {
    "2-D 1536 x 1536, tile 512": Case((1536, 1536), 512, (16, 32, 64, 128, 256)),
    "3-D 32 x 256 x 256, tile 96": Case((32, 256, 256), 96, (16, 32, 64), ((1, 2, 2), (2, 2, 2))),
}


def measure(method: str, case: Case) -> dict[str, float]:
    """Return seconds and rise of the peak memory in MB of one method, in this process."""
    torch.manual_seed(0)
    network = UNet(dims=case.dims, widths=case.widths, strides=case.strides).eval()
    image = np.random.default_rng(0).integers(0, 255, case.shape, np.uint8)
    run = {"forward": _forward, "monai": _monai, "bioseg": _bioseg}[method](network, image, case.tile)
    before = _peak()
    began = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "memory": (_peak() - before) / 2**20, "mean": float(np.mean(result, dtype=np.float64))}


def _bioseg(network: UNet, image: np.ndarray, tile: int) -> Callable[[], Any]:
    axes = "ZYX"[-image.ndim :]
    card = Card(
        name="benchmark",
        title="-",
        summary="-",
        architecture=ArchitectureSpec(name="unet"),
        input=InputSpec(axes=axes, normalisation=Normalisation(method="fixed", low=0, high=255)),
        classes=(ClassInfo(value=1, name="thing"),),
        licence="-",
        data="-",
        split="-",
    )
    wrapped, options = image_from_array(image, axes), PredictOptions(tile=tile, backend="torch")
    return lambda: predict(wrapped, Model(card, network), options).probabilities[...]


def _monai(network: UNet, image: np.ndarray, tile: int) -> Callable[[], Any]:
    from monai.inferers import sliding_window_inference

    prepared, layout = _prepared(network)
    window, overlap = [], []
    for n, halo, stride, edge in zip(image.shape, network.halo, network.stride, _edges(image.shape, tile), strict=True):
        size = min(edge + 2 * (-(-halo // stride) * stride), -(-n // stride) * stride)
        window.append(size)
        overlap.append((size - edge) / size if edge < n else 0.0)

    def run() -> Any:
        with torch.inference_mode():
            logits = sliding_window_inference(
                _input(image, layout), window, 1, prepared, overlap=overlap, mode="constant", padding_mode="reflect"
            )
            return logits.sigmoid()[0].numpy().astype(np.float16)

    return run


def _forward(network: UNet, image: np.ndarray, _: int) -> Callable[[], Any]:
    prepared, layout = _prepared(network)

    def run() -> Any:
        with torch.inference_mode():
            return prepared(_input(image, layout)).sigmoid()[0].numpy().astype(np.float16)

    return run


def _edges(shape: tuple[int, ...], tile: int) -> tuple[int, ...]:
    return (*shape[:-2], tile, tile)


def _prepared(network: UNet) -> tuple[torch.nn.Module, torch.memory_format]:
    layout = torch.channels_last if len(network.stride) == 2 else torch.contiguous_format
    return fused(network).to(memory_format=layout), layout


def _input(image: np.ndarray, layout: torch.memory_format) -> torch.Tensor:
    return torch.from_numpy(image)[None, None].to(torch.float32, memory_format=layout) / 255


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def compare(name: str, repeats: int) -> list[str]:
    """Return lines that set the methods side by side, as ratios to the bare forward pass."""
    found: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
    for _ in range(repeats):
        for method in METHODS:
            command = [sys.executable, "-m", "benchmarks.tiling", "--one", method, name]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
            found[method].append(json.loads(told.splitlines()[-1]))
    middle = {m: {k: statistics.median(f[k] for f in found[m]) for k in ("seconds", "memory")} for m in METHODS}
    lines = [f"{name} ({torch.get_num_threads()} threads, median of {repeats})"]
    for method in METHODS:
        seconds, memory = middle[method]["seconds"], middle[method]["memory"]
        ratios = (seconds / middle["forward"]["seconds"], memory / max(1.0, middle["forward"]["memory"]))
        lines.append(
            f"  {method:8} {seconds:7.2f} s {memory:7.0f} MB   time x {ratios[0]:.2f}   memory x {ratios[1]:.2f}"
        )
    case = CASES[name]
    network = UNet(dims=case.dims, widths=case.widths, strides=case.strides)
    lines.append(f"  tiles give the network {_overhead(network, case):.2f} x the pixels of the image")
    return lines


def _overhead(network: UNet, case: Case) -> float:
    ratio = 1.0
    for n, halo, stride, edge in zip(
        case.shape, network.halo, network.stride, _edges(case.shape, case.tile), strict=True
    ):
        axis = Axis(n, halo, stride)
        ratio *= sum(axis.network_input(Span(i, min(i + edge, n))).length for i in range(0, n, edge)) / n
    return ratio


def main(arguments: list[str]) -> None:
    """Run one measurement, or all."""
    if arguments[:1] == ["--one"]:
        sys.stdout.write(json.dumps(measure(arguments[1], CASES[arguments[2]])) + "\n")
        return
    for name in CASES:
        sys.stdout.write("\n".join(compare(name, int(arguments[0]) if arguments else 3)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
