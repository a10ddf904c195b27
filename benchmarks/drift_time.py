"""How long does a look before the first prediction take? ``python -m benchmarks.drift_time MODEL ...``.

Each MODEL is the name of a model or its folder. The image is 2048 x 2048 pixels (of a volume's model 16 such planes) of
blurred noise, which is warned of: so the look for light and dark exchanged is in the time. The least of several times,
since other programs take from the others; the processor's seconds beside it depend on them less.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from scipy import ndimage

from napari_bioseg.core.image import image_from_array
from napari_bioseg.models import load_model
from napari_bioseg.workflows.drift_check import compare_with_training
from napari_bioseg.workflows.options import DriftOptions

_EDGE, _DEPTH, _TIMES = 2048, 16, 7


def main(names: list[str]) -> None:
    """Time the look, and print a table as Markdown."""
    lines = ["| model | least of 7, s | processor, s |", "|---|---|---|"]
    noise = np.random.default_rng(0).normal(size=(_EDGE, _EDGE))
    plane = np.clip(128 + 250 * ndimage.gaussian_filter(noise, 2), 0, 255).astype(np.uint8)
    for name in names:
        model = load_model(name)
        deep = model.axes == "ZYX"
        image = image_from_array(np.repeat(plane[None], _DEPTH, axis=0) if deep else plane, model.axes)
        options, times = DriftOptions(model=model.card.name, device="cpu"), []
        for _ in range(_TIMES):
            began = time.perf_counter(), time.process_time()
            compare_with_training(image, model, options)
            times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
        wall, processor = (min(column) for column in zip(*times, strict=True))
        lines.append(f"| {model.card.name} | {wall:.2f} | {processor:.2f} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
