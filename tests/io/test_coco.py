"""Masks of COCO files, drawn by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_bioseg.core import IncompatibleImageError, UnreadableFileError
from napari_bioseg.core.image import Image
from napari_bioseg.io import open_image
from napari_bioseg.io.coco import read_coco_labels

SQUARE = [[1, 1, 4, 1, 4, 3, 1, 3]]  # columns 1 to 3 of rows 1 and 2


@pytest.fixture
def image(tmp_path: Path) -> Image:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 6), np.uint8))
    return open_image(tmp_path / "a.tif")


@pytest.fixture
def draw(tmp_path: Path, image: Image) -> Any:
    def drawn(*segmentations: Any, name: str = "a.tif", size: tuple[int, int] = (4, 6), **options: Any) -> Any:
        found = [
            {"id": 10 + i, "image_id": 5, "category_id": 7 + i % 2, "segmentation": s}
            for i, s in enumerate(segmentations)
        ]
        other = {"id": 99, "image_id": 6, "category_id": 7, "segmentation": [[0, 0, 6, 0, 6, 4, 0, 4]]}
        content = {
            "images": [
                {"id": 5, "file_name": name, "height": size[0], "width": size[1]},
                {"id": 6, "file_name": "train/b.tif", "height": 4, "width": 6},
            ],
            "categories": [{"id": 7, "name": "cell"}, {"id": 8, "name": "debris"}],
            "annotations": [other, *found],
        }
        path = tmp_path / "annotations.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return np.asarray(read_coco_labels(path, image, **options).data)

    return drawn


def test_a_pixel_is_inside_where_its_centre_is(draw: Any) -> None:
    expected = [[0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]]
    assert draw(SQUARE).tolist() == expected
    assert draw([[0.6, 0.6, 4.4, 0.6, 4.4, 3.4, 0.6, 3.4]]).tolist() == expected


def test_parts_of_one_object_have_one_number(draw: Any) -> None:
    labels = draw([[0, 0, 1, 0, 1, 1, 0, 1], [5, 3, 6, 3, 6, 4, 5, 4]])
    assert np.argwhere(labels == 1).tolist() == [[0, 0], [3, 5]]


# Down the columns: 5 pixels outside, 2 inside (rows 1 and 2 of column 1), and so on. In 5 bits a character; the fourth
# number is 2 - 2 = 0, the fifth 2 - 2 = 0, and so on, the last 9 - 2 = 7.
RUNS = {"size": [4, 6], "counts": [5, 2, 2, 2, 2, 2, 9]}
PACKED = {"size": [4, 6], "counts": "5220007"}


@pytest.mark.parametrize("runs", [RUNS, PACKED])
def test_run_lengths_go_down_the_columns(draw: Any, runs: dict[str, Any]) -> None:
    assert np.array_equal(draw(runs), draw(SQUARE))


def test_compressed_run_lengths_may_be_long_and_fall(draw: Any) -> None:
    # 17 outside, 3 inside, 3 outside, 1 inside. 17 takes two characters, or its fifth bit would be a sign; 1 - 3 = -2
    # is 30 in 5 bits, with the sign.
    labels = draw({"size": [4, 6], "counts": "a033N"})
    assert np.flatnonzero(labels.T).tolist() == [17, 18, 19, 23]


def test_what_lies_beyond_the_border_is_cut_off_and_what_is_empty_left_out(draw: Any) -> None:
    labels = draw([[-3, -3, 1, -3, 1, 1, -3, 1]], [[2, 2, 2, 2, 2, 2]], [[5, 3, 9, 3, 9, 9, 5, 9]])
    assert {int(v): np.argwhere(labels == v).tolist() for v in np.unique(labels)[1:]} == {1: [[0, 0]], 3: [[3, 5]]}


def test_the_smallest_is_on_top(draw: Any) -> None:
    small, large = [[2, 1, 3, 1, 3, 2, 2, 2]], [[0, 0, 6, 0, 6, 4, 0, 4]]
    for labels, number in ((draw(small, large), 1), (draw(large, small), 2)):
        assert np.argwhere(labels == number).tolist() == [[1, 2]]
        assert (labels == 3 - number).sum() == 23


def test_categories_are_chosen_by_name_and_may_be_the_values(draw: Any) -> None:
    other = [[0, 3, 1, 3, 1, 4, 0, 4]]
    assert draw(SQUARE, other, categories=("debris",)).tolist() == draw([[0, 3, 1, 3, 1, 4, 0, 4]]).tolist()
    assert np.unique(draw(SQUARE, other, objects=False)).tolist() == [0, 7, 8]


def test_a_name_may_have_folders_before_it(draw: Any) -> None:
    assert draw(SQUARE, name="images/train/a.tif").any()


@pytest.mark.parametrize(
    ("segmentation", "options", "error", "said"),
    [
        (SQUARE, {"name": "c.tif"}, UnreadableFileError, r"names no image a\.tif.*It has: c\.tif, train/b\.tif"),
        (SQUARE, {"categories": ("nuclei",)}, UnreadableFileError, "no category 'nuclei'.*It has: cell, debris"),
        (SQUARE, {"size": (5, 6)}, IncompatibleImageError, r"says 6 x 5 pixels, a.* has 6 x 4"),
        ([[9, 1, 12, 1, 12, 3]], {}, IncompatibleImageError, r"annotation 10: lies outside of the image \(x 9 to 12"),
        ([[1, 1, 4, 1]], {}, UnreadableFileError, "annotation 10: has no mask.*fewer than three points"),
        ([[1, 1, 4, 1, 4]], {}, UnreadableFileError, "annotation 10: has no mask"),
        ([], {}, UnreadableFileError, "annotation 10: has no mask"),
        (None, {}, UnreadableFileError, "annotation 10: has no mask"),
        ({"size": [4, 6], "counts": [5, 2]}, {}, UnreadableFileError, "run lengths of 7 pixels in an image of 24"),
        ({"size": [6, 4], "counts": [24]}, {}, UnreadableFileError, "annotation 10: has no mask"),
        ({"counts": [24]}, {}, UnreadableFileError, "annotation 10: has no mask"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    draw: Any, segmentation: Any, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as told:
        draw(segmentation, **options)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"images": []}'])
def test_another_file_is_refused(tmp_path: Path, image: Image, text: str) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableFileError, match=r"is no COCO file|names no image"):
        read_coco_labels(path, image)


def test_a_missing_file_is_named(tmp_path: Path, image: Image) -> None:
    with pytest.raises(UnreadableFileError, match=r"gone\.json"):
        read_coco_labels(tmp_path / "gone.json", image)


def test_a_stack_has_no_name_there(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((3, 4, 6), np.uint8), photometric="minisblack")
    with pytest.raises(IncompatibleImageError, match="images of one plane"):
        read_coco_labels(tmp_path / "annotations.json", open_image(tmp_path / "s.tif", axes="ZYX"))
