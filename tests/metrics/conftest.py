"""Tubes with known centre lines."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def tubes():
    """Draw tubes of a radius along straight lines, all in units of the spacing: ``tubes(shape, spacing, lines, r)``."""

    def draw(shape, spacing, lines, radius):
        at = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"), -1)
        mask = np.zeros(shape, bool)
        for begin, end in np.array(lines, float):
            along = end - begin
            t = np.clip((at - begin) @ along / (along @ along), 0, 1)
            # Flat ends: what lies beyond them is not of the tube.
            flat = ((at - begin) @ along >= 0) & ((at - end) @ along <= 0)
            mask |= flat & (np.linalg.norm(at - begin - t[..., None] * along, axis=-1) <= radius)
        return mask

    return draw
