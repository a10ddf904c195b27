"""How fast labels of a plane of 2048 x 2048 follow a slider: ``python -m benchmarks.decode``.

One decoding for each kind of options, of some 800 objects; steps of the threshold as they are shown while the slider
moves, where decoding takes longer than a frame; and steps of the strength of a cut where all else stays. The median and
the least of ten, and the time of the processor: what an idle machine needs. ``python -m benchmarks.decode 512``: of
another edge.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from napari_bioseg.core.prediction import ClassInfo
from napari_bioseg.postprocess import DecodeOptions, PlaneDecoder, decode_plane

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


def timed(name: object, decode: Callable[[int], np.ndarray], repeats: int = 10) -> None:
    """Print a line for a kind of step."""
    seconds = []
    began_all = time.process_time()
    for i in range(repeats):
        began = time.perf_counter()
        labels = decode(i)
        seconds.append(time.perf_counter() - began)
    processor = (time.process_time() - began_all) / repeats
    times = (statistics.median(seconds), min(seconds), processor)
    middle, least, mean = (t * 1e3 for t in times)
    sys.stdout.write(f"{middle:7.1f} ms (least {least:.1f}, processor {mean:.1f})  {name}  labels to {labels.max()}\n")


def main() -> None:
    """Print a line for each kind of options."""
    probabilities, classes = plane(*map(int, sys.argv[1:2])), (ClassInfo(value=1, name="blob"),)
    steps = [DecodeOptions(threshold=0.7 + i * 1e-3) for i in range(10)]
    for step in STEPS:
        timed(step, lambda i, step=step: decode_plane(probabilities, steps[i].model_copy(update=step), classes))
    for step in STEPS:
        if "separate" in step or "split" in step:
            decoder = PlaneDecoder(probabilities, classes)
            decoder.decode(DecodeOptions(threshold=0.69, **step))
            decoder.follow(steps[0].model_copy(update=step))
            timed(
                f"while the threshold moves: {step}",
                lambda i, step=step, decoder=decoder: decoder.follow(steps[i].model_copy(update=step)),
            )
    decoder = PlaneDecoder(probabilities, classes)
    drawn = DecodeOptions(threshold=0.7, separate=0.95)
    decoder.decode(drawn)
    timed(
        "while the strength of lines moves",
        lambda i: decoder.follow(drawn.model_copy(update={"separate": 0.9 + i * 4e-3})),
    )
    decoder = PlaneDecoder(probabilities, classes)
    cut = DecodeOptions(threshold=0.7, instances=True, min_size=50, split=0.7)
    decoder.decode(cut)
    timed("split, the rest as it was", lambda i: decoder.decode(cut.model_copy(update={"split": 0.5 + i * 0.05})))


if __name__ == "__main__":
    main()
