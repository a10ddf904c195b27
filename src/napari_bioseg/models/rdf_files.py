"""Files of a package that came from elsewhere, a zip or a folder: only what is asked for, and nothing outside it."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from napari_bioseg.core.errors import BrokenModelError
from napari_bioseg.core.files import file_sha256
from napari_bioseg.models.zips import AGAIN, check_entry, reading_zip, unpack_entry

RDF_FILES = ("rdf.yaml", "bioimageio.yaml")


class PackageFiles:
    """Hands out files by the names that a description gives them.

    Parameters
    ----------
    source : Path
        A zip or a folder.
    temporary : Path
        Where files of a zip are unpacked to, under names of our own.
    """

    def __init__(self, source: Path, temporary: Path) -> None:
        self.source, self._temporary = source, temporary

    def get(self, name: str, sha256: str | None = None, *, largest: int = 2**30) -> Path:
        """Return a file that may be read.

        Parameters
        ----------
        name : str
            Relative to the package.
        sha256 : str, optional
            That it must have.
        largest : int
            Bytes that it may have.

        Raises
        ------
        BrokenModelError
            It is not in the package, is no plain file, too large, or another one.
        UnreadableFileError
            The zip is damaged.
        """
        subject = f"{self.source}: {name}"
        if "://" in name:
            raise BrokenModelError(subject, "lies on the internet", "Download the whole package, with all its files")
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
            raise BrokenModelError(subject, "leads out of the package", AGAIN)
        file = self._in_folder(path) if self.source.is_dir() else self._in_zip(str(path), largest)
        if file is None:
            raise BrokenModelError(subject, "is missing", AGAIN)
        if file.stat().st_size > largest:
            raise BrokenModelError(subject, "is too large", AGAIN)
        if sha256 and file_sha256(file) != sha256:
            raise BrokenModelError(subject, "its sha256 is not the one in the description", AGAIN)
        return file

    def description(self) -> Path | None:
        """Return the file that describes the package; None where there is none."""
        if self.source.is_dir():
            names = {path.name for path in self.source.iterdir()}
        else:
            with reading_zip(self.source) as archive:
                names = set(archive.namelist())
        found = next((name for name in RDF_FILES if name in names), None)
        return self.get(found, largest=2**20) if found else None

    def _in_folder(self, path: PurePosixPath) -> Path | None:
        file, root = (self.source / path).resolve(), self.source.resolve()
        return file if file.is_relative_to(root) and file.is_file() else None

    def _in_zip(self, name: str, largest: int) -> Path | None:
        with reading_zip(self.source) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename == name]
            if len(entries) != 1:
                return None
            return self._unpacked(archive, entries[0], largest)

    def _unpacked(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, largest: int) -> Path:
        check_entry(self.source, entry, largest)
        target = self._temporary / f"{len(list(self._temporary.iterdir()))}{PurePosixPath(entry.filename).suffix}"
        unpack_entry(archive, entry, target)
        return target
