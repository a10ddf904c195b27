"""Public images, downloaded when the user asks for one, and checked against a known sha256."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from napari_bioseg.core.errors import DownloadError, UnwritableFileError
from napari_bioseg.core.files import whole_or_nothing, writing
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Job
from napari_bioseg.io.opening import open_image

_MEGABYTE = 10**6
_SECONDS = 30  # without a byte, before a download is given up


@dataclass(frozen=True)
class PublicImage:
    """A stack of planes inside a public zip archive.

    Attributes
    ----------
    title : str
        For menus and layers.
    url, sha256 : str
        Of the archive.
    planes : str
        Pattern of the planes' names inside it; they are stacked in the order of their names.
    pixel_size : dict
        µm along each axis.
    licence, source : str
        For the user to keep to and to cite.
    """

    title: str
    url: str
    sha256: str
    planes: str
    pixel_size: dict[str, float]
    licence: str
    source: str


PUBLIC_IMAGES = {
    # The archive's sha256 is the one that torch-em has checked its downloads against for years.
    "drosophila-vnc": PublicImage(
        title="Drosophila nerve cord (ssTEM)",
        url="https://github.com/unidesigner/groundtruth-drosophila-vnc/archive/refs/heads/master.zip",
        sha256="f7bd0db03c86b64440a16b60360ad60c0a4411f89e2c021c7ee2c8d6af3d7e86",
        planes="*/stack1/raw/*.tif",
        pixel_size={"Z": 0.05, "Y": 0.0046, "X": 0.0046},
        licence="CC BY-NC-SA 3.0",
        source="Gerhard et al. 2013, https://doi.org/10.6084/m9.figshare.856713",
    ),
}


def public_images_folder() -> Path:
    """Folder of what was downloaded; ``BIOSEG_DOWNLOADS`` overrides it."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("BIOSEG_DOWNLOADS") or user_cache_path("napari-bioseg") / "downloads")


def open_public_image(public: PublicImage, *, job: Job | None = None) -> Image:
    """Open a public image, lazily; what is not on disk yet is downloaded.

    Parameters
    ----------
    public : PublicImage
        One of `PUBLIC_IMAGES`.
    job : Job, optional
        Counts bytes; a download that is cancelled leaves nothing behind.

    Returns
    -------
    Image
        ZYX.

    Raises
    ------
    UnwritableFileError
        The disk is full, or the folder cannot be written to.
    DownloadError
        The server cannot be reached, or what it sent is not what it should be.
    """
    job = job or Job()
    folder = public_images_folder() / public.sha256[:16]
    if not folder.is_dir():
        archive = _download(public, folder.with_suffix(".zip"), job)
        job.stage(f"Unpacking {public.title}")
        with writing(folder):
            with whole_or_nothing(folder) as temporary:
                _unpack(public, archive, temporary)
            archive.unlink()
    image = open_image(folder, axes="ZYX")
    scale = tuple(public.pixel_size[axis] for axis in "ZYX")
    return replace(image, name=public.title, scale=scale, units=("micrometer",) * 3)


def _download(public: PublicImage, target: Path, job: Job) -> Path:
    import pooch
    import requests

    job.stage(f"Downloading {public.title}")
    meter: Any = _Meter(job, f"Downloading {public.title}")
    downloader = pooch.HTTPDownloader(progressbar=meter, timeout=_SECONDS)
    try:
        pooch.retrieve(public.url, f"sha256:{public.sha256}", target.name, target.parent, downloader=downloader)
    except requests.RequestException as error:
        problem = f"cannot be downloaded ({type(error).__name__})"
        raise DownloadError(public.url, problem, "Look at the connection to the internet, then try again") from error
    except ValueError as error:  # pooch: the hash differs
        problem = "does not have the sha256 that it should have"
        raise DownloadError(public.url, problem, "Try again; if it stays so, the archive has changed") from error
    except OSError as error:
        raise UnwritableFileError(str(target), str(error.strerror or error), "Free some space there") from error
    return target


def _unpack(public: PublicImage, archive: Path, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(archive) as file:
        planes = [name for name in file.namelist() if fnmatch(name, public.planes)]
        if not planes:
            raise DownloadError(public.url, f"holds nothing like {public.planes}", "The archive has changed")
        for name in planes:
            # The bare name: nothing in the archive decides where a file goes.
            (folder / PurePosixPath(name).name).write_bytes(file.read(name))


class _Meter:
    """What pooch tells its progress to, as to a tqdm bar; it counts megabytes."""

    def __init__(self, job: Job, words: str) -> None:
        self._job, self._words = job, words
        self._total = self._bytes = 0

    @property
    def total(self) -> int:
        """Bytes to come; 0 when the server does not say."""
        return self._total

    @total.setter
    def total(self, size: int) -> None:
        self._total = size
        self.reset()

    def update(self, size: int) -> None:
        """Count bytes that have arrived."""
        before, self._bytes = self._bytes, self._bytes + size
        megabytes = self._bytes // _MEGABYTE - before // _MEGABYTE
        if self._total:
            self._job.step(megabytes)
        elif megabytes:
            self._job.stage(f"{self._words}: {self._bytes // _MEGABYTE} MB")
        self._job.check()

    def reset(self) -> None:
        """Count from nothing: when it begins, and when pooch at its end counts all bytes once more."""
        self._bytes = 0
        if self._total:
            self._job.stage(f"{self._words}, MB", -(-self._total // _MEGABYTE))

    def close(self) -> None:
        """Nothing is to be tidied up."""
