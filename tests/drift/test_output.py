from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from napari_bioseg.drift.output import describe_output

Floats = npt.NDArray[np.float32]


def _squares(side: int, *, sure: float = 1.0, every: int = 32) -> Floats:
    """Squares on 128 x 128 pixels, found with a probability of `sure`, and 1 - `sure` elsewhere."""
    y, x = np.indices((128, 128)) % every
    inside = (y < side) & (x < side)
    return np.where(inside, sure, 1 - sure).astype(np.float32)[None]


def test_share_is_the_odds_of_a_class() -> None:
    share, *_ = describe_output([_squares(16)])
    assert 2**share == pytest.approx((1 / 4) / (3 / 4))


def test_doubt_is_what_a_sure_network_has_not_and_does_not_depend_on_how_much_there_is() -> None:
    p = 0.9
    for side in (8, 16):
        _, doubt, _ = describe_output([_squares(side, sure=p)])
        mean = p * (side / 32) ** 2 + (1 - p) * (1 - (side / 32) ** 2)
        assert 2**doubt == pytest.approx(p * (1 - p) / (mean * (1 - mean)), rel=1e-3)
    assert describe_output([_squares(16)])[1] < -10


def test_outlines_are_longer_round_smaller_objects_of_the_same_share() -> None:
    coarse, fine = (describe_output([_squares(side, every=2 * side)]) for side in (16, 4))
    assert fine[0] == pytest.approx(coarse[0])
    assert fine[2] - coarse[2] == pytest.approx(np.log2(31 / 7))  # outlines within the window, along each axis
    assert 2 ** coarse[2] == pytest.approx(7 * 64 / 128**2 / (share := 1 / 4) / (1 - share))


def test_windows_count_together_and_each_map_alone() -> None:
    two = np.concatenate([_squares(16), _squares(8)])
    found = describe_output([two, two[::-1]])
    np.testing.assert_allclose(found[::2], found[1::2], rtol=1e-6)
    assert found.shape == (6,)


@pytest.mark.parametrize("side", [16, 1])
@pytest.mark.parametrize("value", [0, 1])
def test_where_nothing_or_all_is_found_there_are_figures(side: int, value: float) -> None:
    assert np.isfinite(describe_output([np.full((1, side, side), value, np.float32)])).all()


def test_a_volume_is_described_as_its_planes_and_no_window_at_all_has_no_figures() -> None:
    flat = _squares(16)
    volume = np.repeat(flat[:, None], 3, axis=1)
    np.testing.assert_allclose(describe_output([volume]), describe_output([flat]))
    assert describe_output([]).size == 0
