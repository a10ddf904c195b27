"""Images of a stack, as figures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_bioseg.drift import Figures, Known, Profile, describe, make_profile

Grey = npt.NDArray[np.float32]


def texture(seed: int, *, noise: float = 0.02, coarse: float = 1.0) -> Grey:
    """Blobs of about 6 pixels (times `coarse`) on noise, in about 0..1."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(128, 128)), 3 * coarse, mode="wrap")
    low, high = np.percentile(field, (1, 99))
    return ((field - low) / (high - low) + rng.normal(0, noise, field.shape)).astype(np.float32)


def figures_of(grey: Grey, raw: npt.NDArray[np.uint8] | None = None) -> Figures:
    """Return the figures of a window; its features tell nothing, and what is bright is taken for an object."""
    file = np.clip(40 + 170 * grey, 0, 255).astype(np.uint8) if raw is None else raw
    features = np.random.default_rng(int(1e6 * abs(float(grey[0, 0])))).normal(size=32)
    chances = (1 / (1 + np.exp(-20 * (grey - 0.6))))[None].astype(np.float32)
    return describe([grey], [file], [features], [chances])


def of_file(grey: Grey) -> Figures:
    """Return the figures of a window that was written as 8 bit: rounded to its grey levels."""
    raw = np.clip(np.rint(60 + 130 * grey), 0, 255).astype(np.uint8)
    return figures_of((raw.astype(np.float32) - 60) / 130, raw)


@pytest.fixture(scope="session")
def profile() -> Profile:
    return make_profile([Known(f"group {i % 4}", figures_of(texture(i))) for i in range(16)])


@pytest.fixture(scope="session")
def see() -> Callable[..., Figures]:
    return figures_of
