from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.drift import DISTANCES, OUTPUT, recent_change
from napari_bioseg.drift.stream import RECENT


def _rows(n: int, moved: int = 0, seed: int = 0) -> list[dict[str, float]]:
    values = np.random.default_rng(seed).gamma(4, 0.25, (n, len(DISTANCES)))
    if moved:
        values[-moved:, list(DISTANCES).index("noise")] += 2
    return [dict(zip(DISTANCES, row, strict=True)) for row in values]


def test_a_change_is_told_with_its_beginning() -> None:
    change = recent_change(_rows(80, moved=30))
    assert change is not None
    assert change.distance == "noise"
    assert change.first == pytest.approx(50, abs=3)
    assert change.now > change.before + 1


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_that_stays_as_it_is_has_none(seed: int) -> None:
    assert recent_change(_rows(100, seed=seed)) is None


def test_what_is_not_known_of_the_first_images_is_not_compared() -> None:
    rows = _rows(80, moved=30)
    early = [{name: value for name, value in row.items() if name not in OUTPUT} for row in rows[:10]]
    assert recent_change([*early, *rows[10:]]) == recent_change(rows)


def test_one_unusual_image_is_no_change() -> None:
    assert recent_change(_rows(80, moved=1)) is None


def test_too_few_images_tell_nothing() -> None:
    assert recent_change(_rows(2 * RECENT - 1, moved=RECENT)) is None
    assert recent_change(_rows(2 * RECENT, moved=RECENT)) is not None
