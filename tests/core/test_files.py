from __future__ import annotations

import os

import pytest

from napari_bioseg.core.errors import UnwritableFileError
from napari_bioseg.core.files import remove, whole_or_nothing


def left(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_when_it_is_complete(tmp_path):
    target = tmp_path / "labels.ome.tif"
    with whole_or_nothing(target) as part:
        part.write_text("new")
        assert part.name.endswith(".labels.ome.tif")
        assert not target.exists()
    assert target.read_text() == "new"
    assert left(tmp_path) == ["labels.ome.tif"]


def test_a_folder_appears_and_replaces_another(tmp_path):
    target = tmp_path / "labels.zarr"
    for text in ("old", "new"):
        with whole_or_nothing(target) as part:
            part.mkdir()
            (part / f"{text}.txt").write_text(text)
    assert left(tmp_path) == ["labels.zarr"]
    assert left(target) == ["new.txt"]


def test_a_file_replaces_a_folder(tmp_path):
    target = tmp_path / "labels"
    (target / "inner").mkdir(parents=True)
    with whole_or_nothing(target) as part:
        part.write_text("new")
    assert target.read_text() == "new"
    assert left(tmp_path) == ["labels"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    target = tmp_path / "labels.zarr"
    (target / "inner").mkdir(parents=True)
    rename = os.replace

    def replace(source, to):
        if ".part." in str(source):
            raise PermissionError(13, "Permission denied")
        rename(source, to)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(PermissionError), whole_or_nothing(target) as part:
        part.mkdir()
    assert left(tmp_path) == ["labels.zarr"]
    assert left(target) == ["inner"]


@pytest.mark.parametrize("folder", [True, False])
def test_an_error_leaves_the_old_one_and_nothing_else(tmp_path, folder):
    target = tmp_path / "labels.tif"
    target.write_text("old")

    def write_half(part):
        if folder:
            part.mkdir()
        else:
            part.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), whole_or_nothing(target) as part:
        write_half(part)
    assert target.read_text() == "old"
    assert left(tmp_path) == ["labels.tif"]


def test_what_must_not_be_replaced_is_not(tmp_path):
    target = tmp_path / "labels.tif"
    target.write_text("old")
    with pytest.raises(UnwritableFileError, match="exists already"), whole_or_nothing(target, overwrite=False):
        pytest.fail("must not get here")
    assert target.read_text() == "old"


def test_a_missing_folder_is_named(tmp_path):
    with (
        pytest.raises(UnwritableFileError, match="missing does not exist"),
        whole_or_nothing(tmp_path / "missing" / "a"),
    ):
        pytest.fail("must not get here")


def test_remove_does_not_follow_links(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    link = tmp_path / "link"
    try:
        link.symlink_to(kept, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make links")
    remove(link)
    remove(tmp_path / "never was")
    assert left(tmp_path) == ["kept"]
