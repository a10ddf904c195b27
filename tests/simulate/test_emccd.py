"""Frames follow the physics that the docstring names, and the truth is exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_bioseg.simulate.emccd import (
    Camera,
    Particles,
    Vesicles,
    draw,
    emccd_frames,
    random_camera,
    random_vesicles,
    vesicle_scene,
)

DARK = Vesicles(density=0, clusters=0, pairs=0, background=0, haze=0, gradient=0)


def one(centre, sigma, photons=1000.0):
    return Particles(np.array([centre]), np.array([sigma]), np.array([photons]))


@pytest.mark.parametrize("psf", ["gaussian", "airy"])
def test_a_particle_keeps_its_photons_its_place_and_its_width(psf):
    image = draw((81, 81), one((40.3, 39.6), 1.7), psf)
    y, x = np.indices(image.shape)
    total = image.sum()
    # Beyond 12 sigma an Airy pattern still has some percent of its light.
    assert total == pytest.approx(1000, rel=1e-4 if psf == "gaussian" else 0.06)
    assert (image * y).sum() / total == pytest.approx(40.3, abs=0.02)
    assert (image * x).sum() / total == pytest.approx(39.6, abs=0.02)
    core = image > image.max() / 2
    # The full width at half maximum of a Gaussian is 2.355 sigma.
    assert 2 * np.sqrt(core.sum() / np.pi) == pytest.approx(2.355 * np.hypot(1.7, 1 / np.sqrt(12)), rel=0.08)


def test_a_gaussian_has_the_standard_deviation_of_its_box():
    image = draw((61, 61), one((30.0, 30.0), 2.0))
    y = np.arange(61) - 30
    assert np.sqrt((image.sum(axis=1) * y**2).sum() / 1000) == pytest.approx(np.hypot(2, 1 / np.sqrt(12)), rel=1e-3)


def test_the_camera_has_the_moments_of_theory():
    camera = Camera(efficiency=0.8, clock_charge=0.01, gain=200, read_noise=40, electrons_per_count=10, offset=300)
    counts = camera.record(np.random.default_rng(0), np.full((400, 400), 25.0)).astype(float)
    electrons = 25 * 0.8 + 0.01
    assert counts.mean() == pytest.approx(300 + electrons * 200 / 10, rel=0.005)
    # The register doubles the variance: excess noise factor sqrt(2).
    variance = (2 * electrons * 200**2 + 40**2) / 10**2
    assert counts.var() == pytest.approx(variance, rel=0.03)


def test_without_a_register_there_is_no_excess_noise():
    camera = Camera(efficiency=1, clock_charge=0, gain=1, read_noise=0, electrons_per_count=1, offset=0)
    counts = camera.record(np.random.default_rng(0), np.full((300, 300), 50.0)).astype(float)
    assert counts.var() == pytest.approx(50, rel=0.03)


def test_counts_are_clipped_to_16_bit():
    counts = Camera().record(np.random.default_rng(0), np.full((5, 5), 1e7))
    assert (counts == 65535).all()
    assert (replace(Camera(), offset=-1e4).record(np.random.default_rng(0), np.zeros((5, 5))) == 0).all()


def test_boxes_are_two_standard_deviations_to_each_side():
    vesicles = replace(DARK, density=1, diameter=(0.0001, 0.0), psf=0.2, defocus=0)
    frames, boxes = emccd_frames((2, 100, 100), 0.1, 3, vesicles=vesicles)
    assert frames.shape == (2, 100, 100)
    assert len(boxes) > 5
    assert np.allclose(boxes.size, 4 * 0.2 / 0.1, rtol=1e-3)
    assert set(boxes.frame) == {0, 1}
    bright = frames.max(axis=(1, 2))
    at = np.rint(boxes.centre).astype(int)
    assert (frames[boxes.frame, at[:, 0], at[:, 1]] > 0.1 * bright[boxes.frame]).mean() > 0.9


def test_pairs_are_as_far_apart_as_asked():
    vesicles = replace(DARK, pairs=0.3, pair_distance=(2.0, 3.0), diameter=(0.0001, 0.0), psf=0.2, defocus=0)
    _, boxes = emccd_frames((1, 200, 200), 0.1, 1, vesicles=vesicles)
    distance = np.linalg.norm(boxes.centre[:, None] - boxes.centre, axis=2) / 2.0
    nearest = np.sort(distance, axis=1)[:, 1]
    inside = ((boxes.centre > 10) & (boxes.centre < 190)).all(axis=1)
    assert ((nearest[inside] > 1.9) & (nearest[inside] < 3.1)).mean() > 0.8


def test_a_seed_gives_the_same_frames_and_drift_moves_the_same_particles():
    first, boxes = emccd_frames((3, 64, 64), seed=5)
    again, _ = emccd_frames((3, 64, 64), seed=5)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, emccd_frames((3, 64, 64), seed=6)[0])
    assert len({int((boxes.frame == t).sum()) for t in range(3)}) > 1
    _, still = emccd_frames((2, 64, 64), seed=5, vesicles=Vesicles(drift=1e-6))
    one, two = (still.centre[still.frame == t] for t in (0, 1))
    assert np.allclose(one, two, atol=1e-4)


def test_random_scenes_hold_particles_and_use_the_range_of_the_camera():
    rng = np.random.default_rng(0)
    for seed in range(12):
        frames, boxes = emccd_frames((1, 96, 96), 0.1, seed, vesicles=random_vesicles(rng), camera=random_camera(rng))
        assert len(boxes) > 0
        assert (frames == 65535).mean() < 0.05
        assert np.ptp(frames) > 10


def test_dense_scenes_hold_more_particles_than_any():
    counts = {scene: [len(vesicle_scene(seed=s, scene=scene)[1]) for s in range(6)] for scene in ("any", "dense")}
    assert np.mean(counts["dense"]) > 1.5 * np.mean(counts["any"])
    assert min(counts["dense"]) > 30
    again = vesicle_scene(seed=3, scene="dense")
    assert len(again[1]) == counts["dense"][3]
