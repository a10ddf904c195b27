"""How fast labels of a plane of 2048 x 2048 follow a slider: ``python -m benchmarks.decode``.

One decoding for each kind of options, of some 800 objects; the median and the least of ten.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
from scipy import ndimage

from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.postprocess import DecodeOptions, decode_plane

STEPS = (
    {},
    {"separate": 0.95},
    {"min_size": 50},
    {"fill_holes": 500},
    {"instances": True},
    {"instances": True, "min_size": 50, "fill_holes": 500},
    {"instances": True, "min_size": 50, "split": 0.7},
)


def plane(edge: int = 2048, seed: int = 0) -> np.ndarray:
    """Return probabilities ``(1, Y, X)`` of blobs of some 40 pixels."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((edge, edge)), 8)
    return (1 / (1 + np.exp(-3 * smooth / smooth.std()))).astype(np.float16)[None]


def main(repeats: int = 10) -> None:
    """Print a line for each kind of options."""
    probabilities, classes = plane(), (ClassInfo(value=1, name="blob"),)
    for step in STEPS:
        seconds = []
        for i in range(repeats):
            options = DecodeOptions(threshold=0.7 + i * 1e-3, **step)
            began = time.perf_counter()
            labels = decode_plane(probabilities, options, classes)
            seconds.append(time.perf_counter() - began)
        middle, least = statistics.median(seconds) * 1e3, min(seconds) * 1e3
        sys.stdout.write(f"{middle:7.1f} ms (least {least:.1f})  {step}  labels to {labels.max()}\n")


if __name__ == "__main__":
    main()
