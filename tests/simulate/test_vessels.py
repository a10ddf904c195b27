from __future__ import annotations

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from napari_bioseg.metrics import oracle_threshold_dice
from napari_bioseg.simulate import Optics, vessel_image_from_mask, vessel_tree
from napari_bioseg.simulate.capillaries import Tubes
from napari_bioseg.simulate.two_photon import _cloud, _fours
from napari_bioseg.simulate.vessels import rasterise

SHAPE, VOXEL = (12, 96, 96), (5.0, 1.0, 1.0)


def test_a_seed_gives_one_volume():
    first, again, other = (vessel_tree(SHAPE, VOXEL, seed) for seed in (1, 1, 2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])


def test_dtype_and_shape():
    image, truth = vessel_tree(SHAPE, VOXEL, 0)
    assert image.shape == truth.shape == SHAPE
    assert image.dtype == np.uint8
    assert truth.dtype == bool


@pytest.mark.parametrize("voxel_size", [(5.0, 1.0, 1.0), (2.0, 1.0, 1.0), (5.0, 1.6, 1.6)])
@pytest.mark.parametrize("density", [0.02, 0.04])
def test_density_of_capillaries_is_kept(voxel_size, density):
    shares = [
        vessel_tree((16, 128, 128), voxel_size, seed, density=density, large_vessels=0)[1].mean() for seed in range(3)
    ]
    assert np.mean(shares) == pytest.approx(density, rel=0.35)


def test_capillaries_form_one_network():
    _, truth = vessel_tree((24, 160, 160), VOXEL, 3, density=0.04, large_vessels=0)
    parts, _ = ndimage.label(truth, np.ones((3, 3, 3)))
    sizes = np.sort(np.bincount(parts.ravel())[1:])
    assert sizes[-1] > 0.6 * sizes.sum()


def test_large_vessels_are_added():
    _, without = vessel_tree(SHAPE, VOXEL, 5, large_vessels=0)
    _, one = vessel_tree(SHAPE, VOXEL, 5, density=0, large_vessels=3)
    assert ndimage.distance_transform_edt(without, VOXEL).max() < 6
    assert ndimage.distance_transform_edt(one, VOXEL).max() > 7


def test_nothing_is_black_but_for_noise():
    image, truth = vessel_tree(SHAPE, VOXEL, 0, density=0, large_vessels=0)
    assert not truth.any()
    assert image.std() > 1
    assert (image > 0).mean() > 0.5
    assert all(np.median(plane) > 0 for plane in image)


@pytest.mark.parametrize("size", [3, 64, 65, 66, 67])
def test_haze_of_even_dye_is_even(size):
    """Also at the edges of a volume whose size is no multiple of four."""
    cloud = _cloud(np.ones((3, size, 64), np.float32), VOXEL)
    assert np.allclose(cloud, 1, atol=1e-5)


def test_haze_keeps_its_values():
    dye = np.random.default_rng(0).random((3, 16, 20), np.float32)
    assert np.array_equal(_fours(dye, 1), np.add.reduceat(dye, np.arange(4) * 4, axis=1) / 4)


def test_vessels_are_bright_and_noise_hides_them():
    clean, truth = vessel_tree(SHAPE, VOXEL, 7, density=0.05, optics=Optics(photons=1000, haze=0))
    noisy, same = vessel_tree(SHAPE, VOXEL, 7, density=0.05, optics=Optics(photons=4, haze=0))
    assert np.array_equal(truth, same)
    assert clean[truth].mean() > 3 * clean[~truth].mean()
    assert oracle_threshold_dice(noisy, truth)[0] < oracle_threshold_dice(clean, truth)[0]


def test_deep_planes_are_dimmer():
    mask = np.ones((20, 32, 32), bool)
    image = vessel_image_from_mask(mask, VOXEL, 0, optics=Optics(attenuation=50, photons=200)).astype(float)
    assert image[15].mean() < 0.5 * image[0].mean()


@pytest.mark.parametrize("voxel_size", [(5.0, 1.0, 1.0), (1.0, 0.7, 1.3)])
def test_tubes_are_the_union_of_ellipsoids_round_their_points(voxel_size):
    rng, shape = np.random.default_rng(0), (12, 40, 36)
    points = rng.uniform(-0.1, 1.1, (150, 3)) * shape * voxel_size
    # Of one width, so that the last point at a voxel gives its brightness.
    tubes = Tubes(points, np.full(150, 3.1), rng.random(150))
    truth, dye = rasterise(tubes, shape, voxel_size)
    centres = np.moveaxis(np.indices(truth.shape), 0, -1) * voxel_size
    expected = np.zeros(truth.shape, np.float32)
    for point, brightness in zip(points, tubes.brightness, strict=True):
        semi = (max(3.1, 0.6 * voxel_size[0]), 3.1, 3.1)
        expected[(((centres - point) / semi) ** 2).sum(-1) <= 1] = brightness
    assert truth.sum() > 1000
    assert np.array_equal(truth, expected > 0)
    assert np.array_equal(dye, expected)


def test_density_out_of_range_is_refused():
    with pytest.raises(ValueError, match="density"):
        vessel_tree(SHAPE, VOXEL, 0, density=0.5)


def test_a_mask_must_be_a_volume():
    with pytest.raises(ValueError, match="2 dimensions"):
        vessel_image_from_mask(np.ones((4, 4)), VOXEL, 0)


def test_a_straight_tube_is_rasterised_exactly():
    """A tube along X of radius 4 µm: in each cross-section the voxels nearer than 4 µm."""
    x = np.arange(-10, 50, 0.25)
    tube = Tubes(
        np.column_stack([np.full_like(x, 20.0), np.full_like(x, 15.0), x]), np.full_like(x, 4.0), np.ones_like(x)
    )
    truth, dye = rasterise(tube, (9, 32, 40), VOXEL)
    z, y, _ = np.indices(truth.shape) * np.array(VOXEL)[:, None, None, None]
    assert np.array_equal(truth, np.hypot(z - 20, y - 15) <= 4)
    assert np.array_equal(dye > 0, truth)


def test_a_capillary_between_two_planes_is_in_the_truth():
    x = np.arange(0, 40, 0.25)
    tube = Tubes(
        np.column_stack([np.full_like(x, 7.5), np.full_like(x, 15.0), x]), np.full_like(x, 2.0), np.ones_like(x)
    )
    truth, _ = rasterise(tube, (4, 32, 40), VOXEL)
    assert truth[1:3].any(axis=(0, 1)).all()


def test_rendering_a_real_mask(data_dir):
    volume = nibabel.load(data_dir / "minivess" / "mv68_y.nii.gz")
    mask = np.asarray(volume.dataobj)[:128, :128, :24].T > 0
    image = vessel_image_from_mask(mask, (2.0, 0.994, 0.994), 0)
    assert image.shape == mask.shape
    assert image.dtype == np.uint8
    assert image[mask].mean() > 2 * image[~mask].mean()
    assert np.array_equal(image, vessel_image_from_mask(mask, (2.0, 0.994, 0.994), 0))
