"""Public images come from a real server on loopback, checked and complete, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_bioseg.core.errors import Cancelled, DownloadError, UnwritableFileError
from napari_bioseg.core.job import Job
from napari_bioseg.io import PUBLIC_IMAGES, open_public_image


def test_planes_are_stacked_with_their_pixel_size(public_image, public_planes, downloads):
    image = open_public_image(public_image)
    assert np.array_equal(image.data.compute(), public_planes)
    assert image.axes == "ZYX"
    assert image.scale == (0.05, 0.0046, 0.0046)
    assert set(image.units) == {"micrometer"}
    assert [path.name for path in downloads.iterdir()] == [public_image.sha256[:16]]


def test_it_is_downloaded_once(public_image, downloads, served):
    open_public_image(public_image)
    (served[0] / "set.zip").unlink()
    assert open_public_image(public_image).shape == (3, 300, 400)


def test_nothing_is_written_outside(public_image, downloads):
    open_public_image(replace(public_image, planes="*.tif"))
    assert not list(downloads.parent.glob("*.tif"))
    assert (downloads / public_image.sha256[:16] / "outside.tif").is_file()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sha256": "0" * 64}, "sha256"),
        ({"url": "http://127.0.0.1:9/set.zip"}, "cannot be downloaded"),
        ({"planes": "*.nii"}, "holds nothing like"),
    ],
)
def test_a_bad_download_is_one_line_and_leaves_nothing(public_image, downloads, change, problem):
    with pytest.raises(DownloadError, match=problem) as caught:
        open_public_image(replace(public_image, **change))
    assert "\n" not in str(caught.value)
    assert not [path for path in downloads.glob("*") if path.is_dir() or path.suffix != ".zip"]


def test_a_missing_file_on_the_server_is_one_line(public_image, downloads):
    with pytest.raises(DownloadError, match="cannot be downloaded"):
        open_public_image(replace(public_image, url=public_image.url + ".gone"))


def test_progress_counts_megabytes_up_to_the_total(public_image, downloads):
    seen = []
    open_public_image(public_image, job=Job(seen.append))
    last = [p for p in seen if p.total][-1]
    assert last.message.endswith(", MB")
    assert last.total == 1


def test_cancel_leaves_nothing(public_image, downloads):
    job = Job(lambda progress: job.cancel() if progress.total else None)
    with pytest.raises(Cancelled):
        open_public_image(public_image, job=job)
    assert not list(downloads.glob("*"))


def test_the_known_sets_say_whose_they_are():
    for public in PUBLIC_IMAGES.values():
        assert public.url.startswith("https://")
        assert len(public.sha256) == 64
        assert public.licence
        assert public.source


def test_a_full_disk_is_one_line(public_image, downloads, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UnwritableFileError, match=r"cannot be written \(No space left on device\)"):
        open_public_image(public_image)
    assert [p.suffix for p in downloads.iterdir()] == [".zip"]
