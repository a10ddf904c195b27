"""A step of the confidence slider on 5,000 boxes, beside what napari offers: ``python -m benchmarks.boxes [COUNT]``.

Run it under a display (``xvfb-run -a``): the window is real; a step counts until the layer is told, without
the drawing.
Each way goes through the same thresholds; the median and the slowest step are printed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import napari
import numpy as np

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import image_from_array
from napari_bioseg.plugin.box_layer import box_layer, tune
from napari_bioseg.plugin.box_state import BoxState, rectangles
from napari_bioseg.postprocess.boxes import BoxOptions, BoxSelector

EDGE, FRAMES = 512, 20
STEPS = np.round(np.arange(0.3, 0.7, 0.02), 2)


def timed(step: Callable[[float], object]) -> str:
    """Return the median and the slowest step, ms."""
    times = []
    for confidence in STEPS:
        began = time.perf_counter()
        step(float(confidence))
        times.append((time.perf_counter() - began) * 1e3)
    return f"{np.median(times):7.1f} ms median, {max(times):7.1f} ms slowest"


def main() -> None:
    """Print one line a way."""
    rng = np.random.default_rng(0)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    boxes = Boxes.of(
        rng.uniform(0, EDGE, (count, 2)),
        rng.uniform(4, 9, (count, 2)),
        frame=rng.integers(0, FRAMES, count),
        confidence=rng.uniform(0.05, 1, count),
    )
    image = image_from_array(np.zeros((FRAMES, EDGE, EDGE), np.uint8), "TYX")
    selector = BoxSelector(boxes)
    state = BoxState(selector, BoxOptions(), 0.5, image, "TYX")
    viewer = napari.Viewer(show=True)
    viewer.add_image(image.data)
    layer = viewer.add_layer(box_layer(state, name="ours"))
    ways: dict[str, Callable[[float], object]] = {
        "ours, confidence": lambda c: tune(layer, BoxOptions(confidence=c)),
        "ours, overlap": lambda c: tune(layer, BoxOptions(confidence=0.3, iou=c)),
    }
    plain = viewer.add_shapes(rectangles(boxes, "TYX"), shape_type="rectangle", face_color="transparent")
    colors = np.ones((count, 4))

    def all_colors(confidence: float) -> None:
        colors[:, 3] = selector.keep(confidence, BoxOptions())
        plain.edge_color = colors

    def all_boxes(confidence: float) -> None:
        plain.data = rectangles(boxes[selector.keep(confidence, BoxOptions())], "TYX")

    ways |= {"napari, colours of all": all_colors, "napari, boxes anew": all_boxes}
    for name, step in ways.items():
        sys.stdout.write(f"{name:24} {timed(step)}\n")
    viewer.close()


if __name__ == "__main__":
    main()
