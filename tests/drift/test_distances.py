from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from tests.drift.conftest import figures_of, texture

from napari_bioseg.drift import DISTANCES, Figures, Profile, deviation, distances


@pytest.fixture(scope="module")
def figures() -> Figures:
    return figures_of(texture(99) ** 2)


def test_every_distance_is_told_and_none_is_negative(figures: Figures, profile: Profile) -> None:
    found = distances(figures, profile)
    assert list(found) == list(DISTANCES)
    assert min(found.values()) >= 0


def test_divergences_are_those_of_scipy(figures: Figures, profile: Profile) -> None:
    p, q = (np.array(h) + 1e-3 for h in (figures.histogram, profile.histogram))
    p, q = p / p.sum(), q / q.sum()
    found = distances(figures, profile)
    assert found["kl"] == pytest.approx(entropy(p, q, base=2))
    assert found["js"] == pytest.approx(jensenshannon(p, q, base=2) ** 2)
    assert found["psi"] == pytest.approx(entropy(p, q) + entropy(q, p))
    cross = entropy(p, base=2) + entropy(p, q, base=2)
    assert found["cross_entropy"] == pytest.approx(max(0, cross - entropy(q, base=2)))


def test_the_reference_itself_is_at_no_distance(profile: Profile) -> None:
    own = {name: spread.mean for name, spread in profile.figures.items()}
    snr = own.pop("snr")
    own["noise"] = own["contrast"] - snr
    arrays = {name: np.array(getattr(profile, name)) for name in ("histogram", "spectrum", "features", "output")}
    found = distances(Figures(**arrays, **own), profile)
    assert max(found.values()) == pytest.approx(0, abs=0.02)


def test_a_deviation_has_a_sign(figures: Figures, profile: Profile) -> None:
    spread = profile.figures["contrast"]
    low = replace(figures, contrast=spread.mean - 2 * np.hypot(spread.sd, 0.1))
    assert deviation(low, profile, "contrast") == pytest.approx(-2)
    assert distances(low, profile)["contrast"] == pytest.approx(2)


def test_fewer_levels_and_more_saturation_than_the_reference_count_alone(figures: Figures, profile: Profile) -> None:
    finer = distances(replace(figures, levels=12.0, saturation=0.0), profile)
    coarser = distances(replace(figures, levels=2.0, saturation=0.5), profile)
    assert (finer["levels"], finer["saturation"]) == (0, 0)
    assert coarser["levels"] == pytest.approx(profile.figures["levels"].mean - 2)
    assert coarser["saturation"] == pytest.approx(50 - 100 * profile.figures["saturation"].mean)
