"""What the reader claims, opens, asks and remembers."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_bioseg.core.errors import UnknownAxesError, UnreadableFileError
from napari_bioseg.plugin.reader import MOST_SERIES, can_read, read_layers
from napari_bioseg.plugin.settings import remember_axes


@pytest.fixture
def bare(tmp_path):
    path = tmp_path / "bare.tif"
    tifffile.imwrite(path, np.zeros((5, 8, 9), np.uint8), metadata=None, photometric="minisblack")
    return path


def test_only_files_of_our_kinds_are_claimed(tmp_path, bare):
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "fake.tif").write_text("no image")
    (tmp_path / "empty").mkdir()
    assert can_read(bare)
    assert can_read(tmp_path)
    assert can_read(tmp_path / "fake.tif"), "whoever opens it must say what is wrong with it"
    assert not can_read(tmp_path / "notes.txt")
    assert not can_read(tmp_path / "missing.tif")
    assert not can_read(tmp_path / "empty")
    assert not can_read("https://example.org/a.tif")


def test_a_damaged_file_is_told_in_one_line(tmp_path):
    (tmp_path / "fake.tif").write_text("no image")
    with pytest.raises(UnreadableFileError, match=r"fake\.tif") as caught:
        read_layers(tmp_path / "fake.tif")
    assert "\n" not in str(caught.value)


def test_without_anybody_to_ask_the_error_names_the_way(bare):
    with pytest.raises(UnknownAxesError, match="--axes"):
        read_layers(bare)


def test_the_user_is_asked_and_the_answer_kept_with_the_layer(bare):
    asked = []

    def ask(path, error):
        asked.append((path, error.choices))
        return "TYX"

    ((_, attributes, kind),) = read_layers(bare, ask)
    assert asked == [(bare, ("ZYX", "TYX", "CYX"))]
    assert kind == "image"
    assert attributes["axis_labels"] == ("t", "y", "x")
    assert attributes["metadata"]["bioseg"]["origin"].axes == "TYX"


def test_a_remembered_answer_is_not_asked_again(bare):
    def ask(path, error):
        raise AssertionError("asked again")

    remember_axes(bare, "ZYX")
    ((_, attributes, _),) = read_layers(bare, ask)
    assert attributes["axis_labels"] == ("z", "y", "x")


def test_a_known_answer_wins_and_a_remembered_one_need_not_count(bare):
    remember_axes(bare, "ZYX")
    ((_, attributes, _),) = read_layers(bare, axes="TYX")
    assert attributes["axis_labels"] == ("t", "y", "x")
    with pytest.raises(UnknownAxesError):
        read_layers(bare, recall=False)


def test_giving_no_answer_gives_the_error(bare):
    with pytest.raises(UnknownAxesError):
        read_layers(bare, lambda _path, _error: None)


@pytest.mark.parametrize(("count", "opened"), [(3, 3), (MOST_SERIES + 1, 1)])
def test_every_image_of_a_file_up_to_a_number(tmp_path, count, opened):
    path = tmp_path / "many.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for i in range(count):
            tif.write(np.full((8, 9), i, np.uint8), metadata={"axes": "YX"})
    layers = read_layers(path)
    assert [int(data.max()) for data, _, _ in layers] == list(range(opened))
    assert [attributes["visible"] for _, attributes, _ in layers] == [True] + [False] * (opened - 1)
    assert [attributes["metadata"]["bioseg"]["origin"].series for _, attributes, _ in layers] == list(range(opened))
