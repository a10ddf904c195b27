"""What is remembered, and what happens to a damaged file."""

from __future__ import annotations

import logging

import pytest

from napari_bioseg.core.errors import UnwritableFileError
from napari_bioseg.plugin.settings import (
    change_settings,
    load_settings,
    remember_axes,
    remembered_axes,
    settings_file,
)


def test_nothing_is_remembered_at_first(config):
    assert load_settings().segment == {}
    assert not config.exists()


def test_changes_are_kept_and_leave_the_rest(tmp_path):
    change_settings(segment={"model": "a", "threshold": 0.4})
    remember_axes(tmp_path / "one.tif", "ZYX")
    assert load_settings().segment == {"model": "a", "threshold": 0.4}
    assert remembered_axes(tmp_path / "two.tif", 3) == "ZYX"
    assert remembered_axes(tmp_path, 3) == "ZYX", "opened as a folder of planes"


def test_axes_are_remembered_by_folder_and_dimensions(tmp_path):
    remember_axes(tmp_path / "one.tif", "ZYX")
    assert remembered_axes(tmp_path / "one.tif", 4) is None
    assert remembered_axes(tmp_path / "other" / "one.tif", 3) is None


def test_a_damaged_file_is_told_of_and_replaced(caplog):
    change_settings(segment={"model": "a"})
    settings_file().write_text("axes: [1, 2\n")
    with caplog.at_level(logging.WARNING):
        assert load_settings().segment == {}
    assert "settings.yaml" in caplog.text
    change_settings(segment={"model": "b"})
    assert load_settings().segment == {"model": "b"}


def test_a_home_that_cannot_be_written_is_a_plain_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BIOSEG_CONFIG", str(tmp_path / "file" / "config"))
    assert load_settings().segment == {}
    with pytest.raises(UnwritableFileError, match="BIOSEG_CONFIG"):
        change_settings(segment={"model": "a"})
