"""What the journal costs a stroke of the brush: ``python -m benchmarks.painting [FOLDER]``.

The same strokes, in turn, on two layers with the same labels: one of plain napari, one whose strokes are recorded in a
project in FOLDER (default: a temporary one). A stroke is 40 moves of a brush of 20 pixels, undone as one step, as the
mouse makes it; drawing on screen, which both need, is not counted. Printed: the median stroke, and the ratio of those.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_bioseg.core.arrays import create_array

STROKES, MOVES, BRUSH = 60, 40, 20
SHAPES = ((2048, 2048), (256, 1024, 1024))


def cells(shape: tuple[int, ...]) -> Any:
    """Return labels like a segmentation: blocks of 64 pixels; where they are large as the panel Segment stores them."""
    plane = np.arange(shape[-2] * shape[-1], dtype=np.uint32).reshape(shape[-2:]) // 64 % 977
    if len(shape) == 2:
        return plane
    array = create_array(None, shape, (1, 512, 512), "uint32")
    for z in range(shape[0]):
        array[z] = plane
    return array


def stroke(layer: Any, i: int) -> float:
    """Paint one stroke and return the milliseconds that it took."""
    rng = np.random.default_rng(i)
    lead = [int(rng.integers(n)) for n in layer.data.shape[:-2]]
    start, end = (rng.uniform(30, np.array(layer.data.shape[-2:]) - 30) for _ in range(2))
    began = time.perf_counter()
    with layer.block_history():
        for step in np.linspace(0, 1, MOVES):
            layer.paint((*lead, *(start + (end - start) * step)), 1000 + i, refresh=False)
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    """Print one line a shape."""
    from napari.components import ViewerModel

    from napari_bioseg.core.job import Job
    from napari_bioseg.plugin.correcting import begin, show_correction, start_of

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        os.environ["BIOSEG_PROJECTS"] = str(folder)
        for shape in SHAPES:
            viewer = ViewerModel()
            plain = viewer.add_labels(cells(shape), name="plain")
            recorded = show_correction(viewer, begin(start_of(viewer, plain), Job()))
            for layer in (plain, recorded):
                layer.brush_size = BRUSH
            times = {name: [] for name in ("plain", "recorded")}
            for i in range(STROKES):
                for name, layer in (("plain", plain), ("recorded", recorded))[:: 1 if i % 2 else -1]:
                    times[name].append(stroke(layer, i))
            one, other = (float(np.median(times[name])) for name in ("plain", "recorded"))
            words = " x ".join(map(str, shape))
            line = f"{words:>20}: {one:7.1f} ms without, {other:7.1f} ms with the journal, ratio {other / one:.2f}\n"
            sys.stdout.write(line)
            viewer.layers.clear()


if __name__ == "__main__":
    main()
