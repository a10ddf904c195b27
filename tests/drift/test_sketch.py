from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance

from napari_bioseg.drift.sketch import SIZE, covariance, mahalanobis, sketch


def _features(n: int, seed: int = 0) -> np.ndarray:
    """Eight hidden causes in 64 features of very different size."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(8, 64))
    return (rng.normal(size=(n, 8)) @ mixing + 0.1 * rng.normal(size=(n, 64))) * np.geomspace(0.01, 100, 64)


def _distance(features: np.ndarray, known: np.ndarray) -> float:
    mean, sd = known.mean(0), known.std(0)
    shared = covariance(sketch(known, mean, sd))
    return mahalanobis(sketch(features, mean, sd), shared[np.tril_indices(len(shared))])


def test_a_sketch_keeps_lengths_in_its_subspace_and_is_linear() -> None:
    known = _features(50)
    mean, sd = known.mean(0), known.std(0)
    a, b = sketch(known[0], mean, sd), sketch(known[1], mean, sd)
    assert a.shape == (SIZE,)
    np.testing.assert_allclose(sketch((known[0] + known[1]) / 2, mean, sd), (a + b) / 2)
    few = known[:, :10]
    whole = (few[0] - mean[:10]) / np.hypot(sd[:10], 0.1 * sd[:10].mean() + 1e-6)
    assert np.linalg.norm(sketch(few[0], mean[:10], sd[:10])) == pytest.approx(np.linalg.norm(whole))


def test_the_distance_is_that_of_mahalanobis() -> None:
    rng = np.random.default_rng(0)
    y, z = rng.normal(size=6), rng.normal(size=(6, 6))
    shared = z @ z.T + np.eye(6)
    wanted = distance.mahalanobis(y, np.zeros(6), np.linalg.inv(shared)) / np.sqrt(6)
    assert mahalanobis(y, shared[np.tril_indices(6)]) == pytest.approx(wanted)


def test_what_varies_otherwise_is_far_though_no_feature_alone_is_unusual() -> None:
    known, more = _features(200), _features(20, seed=1)
    mean, sd = known.mean(0), known.std(0)
    usual = np.mean([_distance(f, known) for f in more])
    # Eight causes in 24 numbers, a little shrunk.
    assert usual == pytest.approx(np.sqrt(8 / SIZE), abs=0.1)
    odd = mean + sd * np.random.default_rng(3).choice([-1, 1], 64)  # each one standard deviation off, but not together
    assert _distance(odd, known) > 2 * usual


def test_few_images_are_shrunk_and_equal_ones_are_no_division_by_nothing() -> None:
    known = _features(6)
    assert np.linalg.eigvalsh(covariance(sketch(known, known.mean(0), known.std(0)))).min() > 0.01
    same = np.ones((5, 64))
    assert _distance(same[0], same) == pytest.approx(0)
