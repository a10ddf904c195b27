from __future__ import annotations

import gc
import gzip
import tempfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from napari_bioseg.core import UnreadableFileError
from napari_bioseg.io import list_series, open_image

VOLUME = np.random.default_rng(5).integers(0, 900, (11, 13, 7)).astype(np.int16)  # x, y, z


def save(path: Path, data: np.ndarray[Any, Any] = VOLUME, units: tuple[str, str] = ("micron", "sec")) -> Path:
    image = nibabel.Nifti1Image(data, np.diag([2.0, 3.0, 5.0, 1.0]))
    image.header.set_xyzt_units(*units)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_x_y_z_comes_out_as_z_y_x_in_micrometers(tmp_path: Path, ending: str) -> None:
    image = open_image(save(tmp_path / f"v{ending}"))
    assert (image.name, image.axes, image.scale) == ("v", "ZYX", (5.0, 3.0, 2.0))
    assert set(image.units) == {"micrometer"}
    assert image.metadata["affine"][0][0] == 2.0
    np.testing.assert_array_equal(image.data.compute(), VOLUME.T)
    np.testing.assert_array_equal(image.data[3, 2:9, ::4].compute(), VOLUME.T[3, 2:9, ::4])


@pytest.mark.parametrize(("shape", "axes"), [((4, 5), "YX"), ((4, 5, 6, 3), "TZYX"), ((4, 5, 6, 3, 2), "CTZYX")])
def test_every_number_of_dimensions(tmp_path: Path, shape: tuple[int, ...], axes: str) -> None:
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    image = open_image(save(tmp_path / "v.nii", data))
    assert (image.axes, image.shape) == (axes, shape[::-1])
    np.testing.assert_array_equal(image.data.compute(), data.T)
    assert list_series(tmp_path / "v.nii")[0].shape == shape[::-1]


def test_six_dimensions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="has 6 dimensions"):
        open_image(save(tmp_path / "v.nii", np.zeros((2,) * 6, np.uint8)))


def test_colour_voxels_become_samples(tmp_path: Path) -> None:
    rgb = np.random.default_rng(6).integers(0, 255, (4, 5, 6, 3), dtype=np.uint8)
    records = rgb.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    image = open_image(save(tmp_path / "v.nii", records))
    assert (image.axes, image.shape, image.dtype) == ("ZYXS", (6, 5, 4, 3), np.uint8)
    np.testing.assert_array_equal(image.data.compute(), rgb.transpose(2, 1, 0, 3))


def test_scaled_voxels_are_scaled(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOLUME, np.eye(4))
    image.header.set_slope_inter(0.5, 1)
    nibabel.save(image, tmp_path / "v.nii")
    opened = open_image(tmp_path / "v.nii")
    assert opened.dtype == np.float64
    np.testing.assert_allclose(opened.data.compute(), VOLUME.T * 0.5 + 1)


def test_a_header_with_its_pixels_beside_it(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(VOLUME, np.eye(4)), tmp_path / "v.hdr")
    np.testing.assert_array_equal(open_image(tmp_path / "v.hdr").data.compute(), VOLUME.T)
    (tmp_path / "v.img").unlink()
    with pytest.raises(UnreadableFileError, match=r"v\.hdr|v\.img"):
        open_image(tmp_path / "v.hdr")


@pytest.mark.parametrize("part", [0.9, 0.5, 0.2])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_truncated_file_is_refused(tmp_path: Path, ending: str, part: float) -> None:
    path = save(tmp_path / f"v{ending}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(UnreadableFileError, match=r"is truncated|cannot be read"):
        open_image(path)


def test_a_gzip_of_several_members_is_whole(tmp_path: Path) -> None:
    data = save(tmp_path / "v.nii").read_bytes()
    (tmp_path / "m.nii.gz").write_bytes(gzip.compress(data[:900]) + gzip.compress(data[900:]))
    np.testing.assert_array_equal(open_image(tmp_path / "m.nii.gz").data.compute(), VOLUME.T)


def test_a_compressed_file_is_unpacked_at_the_first_read_and_the_copy_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, scratch = save(tmp_path / "v.nii.gz"), tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    image = open_image(path)
    assert list(scratch.iterdir()) == []
    image.data[0].compute()
    image.data[1].compute()
    assert len(list(scratch.iterdir())) == 1
    del image
    gc.collect()
    assert list(scratch.iterdir()) == []


def test_sizes_without_a_unit_keep_their_ratio(tmp_path: Path) -> None:
    image = open_image(save(tmp_path / "v.nii", units=("unknown", "unknown")))
    assert (image.scale, image.units) == ((5.0, 3.0, 2.0), (None, None, None))
