"""Small simulated images to try the program on, each with its ground truth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.simulate.em import em_membranes
from napari_bioseg.simulate.emccd import Vesicles, emccd_frames
from napari_bioseg.simulate.phase import phase_contrast_cells
from napari_bioseg.simulate.two_photon import Optics
from napari_bioseg.simulate.vessels import vessel_tree

SAMPLES = ("membranes", "vessels", "cells")

_SEED = 2026


def sample(name: str, seed: int = _SEED) -> Image:
    """Return a simulated image; its ground truth is the first of `Image.labels`.

    The same image on every call with a seed. Labels are uint32: 1 inside cells (``"membranes"``), 1 inside
    vessels (``"vessels"``), or 1..n, one number a cell (``"cells"``).

    Parameters
    ----------
    name : str
        One of `SAMPLES`: ``"membranes"`` (ZYX, 8×256×256, 0.05×0.004×0.004 µm), ``"vessels"``
        (ZYX, 24×256×256, 5×1×1 µm) or ``"cells"`` (YX, 400×512, 1.2 µm).
    seed : int
        By default that of the image that the window and the demo open.

    Raises
    ------
    LookupError
        There is no sample of that name.
    """
    if name == "membranes":
        return _with_truth(name, *em_membranes((8, 256, 256), seed), {"Z": 0.05, "Y": 0.004, "X": 0.004})
    if name == "vessels":
        optics = Optics(photons=60, attenuation=200)
        volume = vessel_tree((24, 256, 256), (5.0, 1.0, 1.0), seed, optics=optics)
        return _with_truth(name, *volume, {"Z": 5.0, "Y": 1.0, "X": 1.0})
    if name == "cells":
        return _with_truth(name, *phase_contrast_cells((400, 512), seed), {"Y": 1.2, "X": 1.2})
    raise LookupError(f"no sample {name!r}; there are {', '.join(SAMPLES)}")


def sample_vesicles() -> tuple[Image, Boxes]:
    """Return simulated EMCCD frames (TYX, 20×192×192, 0.1 µm, 0.1 s) and the true boxes of their vesicles.

    The vesicles drift from frame to frame; some touch. The same on every call.
    """
    vesicles = Vesicles(density=0.8, pairs=0.25, clusters=0.08, drift=0.4)
    frames, boxes = emccd_frames((20, 192, 192), 0.1, _SEED, vesicles=vesicles)
    return image_from_array(frames, "TYX", pixel_size={"T": 0.1, "Y": 0.1, "X": 0.1}, name="vesicles"), boxes


def _with_truth(
    name: str, pixels: npt.NDArray[np.uint8], truth: npt.NDArray[Any], pixel_size: dict[str, float]
) -> Image:
    axes = "".join(pixel_size)
    labels = image_from_array(truth.astype(np.uint32), axes, pixel_size=pixel_size, name=f"{name} truth")
    return replace(image_from_array(pixels, axes, pixel_size=pixel_size, name=name), labels=(labels,))
