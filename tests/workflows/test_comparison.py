"""Old and new on the same images: every figure is that of what users get, and only the known truth counts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_bioseg import compare, metrics, segment
from napari_bioseg.core import (
    Cancelled,
    IncompatibleImageError,
    Job,
    RecipeError,
    UnreadableFileError,
    image_from_array,
)
from napari_bioseg.io.boxes import write_boxes_csv
from napari_bioseg.metrics.detection import count_error, f1_at
from napari_bioseg.metrics.paired import paired_difference
from napari_bioseg.models.zoo import shipped_models_folder
from napari_bioseg.simulate import emccd_frames
from napari_bioseg.workflows.compared import BLOCK
from napari_bioseg.workflows.comparison_file import read_comparison
from napari_bioseg.workflows.comparison_words import original_words
from napari_bioseg.workflows.detection import detect

SHAPE = (3, 72, 80)


@pytest.fixture
def zoo(tiny_zoo: Path) -> Path:
    """Also ``more2d`` and ``more3d``: the same networks, which call more pixels foreground."""
    for dims in "23":
        folder = shutil.copytree(tiny_zoo / f"tiny{dims}d", tiny_zoo / f"more{dims}d")
        text = (folder / "card.yaml").read_text(encoding="utf-8")
        text = text.replace(f"name: tiny{dims}d", f"name: more{dims}d").replace("threshold: 0.5", "threshold: 0.2")
        (folder / "card.yaml").write_text(text, encoding="utf-8")
    return tiny_zoo


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write_pair(tmp_path, "stack", 0)


def write_pair(folder: Path, name: str, seed: int) -> tuple[Path, Path]:
    rng = np.random.default_rng(seed)
    truth = np.zeros(SHAPE, np.uint8)
    truth[:, 10:50, 20:70] = 255
    image = (truth // 3 + rng.integers(0, 60, SHAPE)).astype(np.uint8)
    paths = folder / f"{name}.tif", folder / f"{name}-label.tif"
    for path, pixels in zip(paths, (image, truth), strict=True):
        tifffile.imwrite(path, pixels, photometric="minisblack")
    return paths


def labels_of(path: Path, model: str) -> np.ndarray:
    return np.asarray(segment(image_from_array(tifffile.imread(path), "ZYX"), model=model).labels[:]) > 0


@pytest.mark.usefixtures("zoo")
def test_each_plane_is_scored_by_the_labels_that_each_model_gives(pair: tuple[Path, Path]) -> None:
    found = compare("tiny2d", "more2d", [pair[0]], [pair[1]], axes="ZYX", metrics=("iou", "dice"))
    truth = tifffile.imread(pair[1]) > 0
    old, new = (labels_of(pair[0], model) for model in ("tiny2d", "more2d"))
    assert [row.plane for row in found.rows] == [(0,), (1,), (2,)]
    for z, row in enumerate(found.rows):
        assert row.old["iou"] == pytest.approx(metrics.iou(old[z], truth[z]))
        assert row.new["dice"] == pytest.approx(metrics.dice(new[z], truth[z]))
    assert found.differences["iou"].mean == pytest.approx(np.mean([r.new["iou"] - r.old["iou"] for r in found.rows]))
    assert (found.old, found.new, found.metrics, found.unit) == ("tiny2d", "more2d", ("iou", "dice"), "slice")
    (first, _, _) = found.planes
    assert np.array_equal(first.old > 0, old[0])
    assert np.array_equal(first.new > 0, new[0])
    assert np.array_equal(first.truth > 0, truth[0])
    assert first.source == pair[0]


@pytest.mark.usefixtures("zoo")
def test_each_network_runs_once_an_image(pair: tuple[Path, Path]) -> None:
    stages: list[str] = []
    job = Job(lambda progress: stages.append(progress.message) if not progress.done else None)
    compare("tiny2d", "more2d", [pair[0]], [pair[1]], axes="ZYX", job=job)
    assert [s for s in stages if " on " in s] == ["tiny2d on stack", "more2d on stack"]


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize("models", [("tiny2d", "more2d"), ("more2d", "tiny2d")])
def test_regions_hold_every_pixel_that_changed(pair: tuple[Path, Path], models: tuple[str, str]) -> None:
    found = compare(*models, [pair[0]], [pair[1]], axes="ZYX")
    truth = tifffile.imread(pair[1]) > 0
    old, new = (np.stack([getattr(p, side) for p in found.planes]) == truth for side in ("old", "new"))
    assert sum(region.gain for region in found.regions) == int(new.sum()) - int(old.sum())
    sizes = [abs(region.gain) for region in found.regions]
    assert sizes == sorted(sizes, reverse=True)
    for region in found.regions:
        top, left, bottom, right = region.box
        part = (*region.plane, slice(top, bottom), slice(left, right))
        assert region.gain == int(new[part].sum()) - int(old[part].sum())
        assert 0 < bottom - top <= BLOCK
        assert right <= SHAPE[2]


@pytest.mark.usefixtures("zoo")
def test_pixels_of_unknown_truth_count_nowhere(pair: tuple[Path, Path]) -> None:
    truth = tifffile.imread(pair[1])
    truth[0, :, 40:] = 7
    truth[2] = 7
    tifffile.imwrite(pair[1], truth, photometric="minisblack")
    names = ("iou", "pixel_accuracy")
    found = compare("tiny2d", "more2d", [pair[0]], [pair[1]], axes="ZYX", metrics=names, label_values={0: 0, 255: 1})
    assert [row.plane for row in found.rows] == [(0,), (1,)]
    old, new = found.planes[0].old[:, :40] > 0, found.planes[0].new[:, :40] > 0
    assert found.rows[0].old["iou"] == pytest.approx(metrics.iou(old, truth[0, :, :40] > 0))
    assert found.rows[0].old["pixel_accuracy"] == pytest.approx(np.mean(old == (truth[0, :, :40] > 0)))
    assert all(region.plane != (2,) and (region.plane != (0,) or region.box[1] == 0) for region in found.regions)
    known = truth[0, :, :40] > 0
    gain = sum(region.gain for region in found.regions if region.plane == (0,))
    assert gain == int((new == known).sum()) - int((old == known).sum())


@pytest.mark.usefixtures("zoo")
def test_several_images_are_drawn_as_wholes(tmp_path: Path) -> None:
    pairs = [write_pair(tmp_path, name, seed) for seed, name in enumerate("ab")]
    found = compare("tiny2d", "more2d", *zip(*pairs, strict=True), axes="ZYX", metrics=("iou",))
    difference = found.differences["iou"]
    assert (difference.n, difference.groups) == (6, 2)
    scores = [[getattr(row, side)["iou"] for row in found.rows] for side in ("old", "new")]
    assert difference == paired_difference("iou", *scores, ["a"] * 3 + ["b"] * 3)
    assert difference != paired_difference("iou", *scores)
    assert "6 slices of 2 images" in found.verdict or not difference.seen
    assert {row.image for row in found.rows} == {"a", "b"}


@pytest.mark.usefixtures("zoo")
def test_images_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    for folder in "xy":
        (tmp_path / folder).mkdir()
    pairs = [write_pair(tmp_path / folder, "stack", seed) for seed, folder in enumerate("xy")]
    found = compare("tiny2d", "more2d", *zip(*pairs, strict=True), axes="ZYX", metrics=("iou",))
    assert {row.image for row in found.rows} == {str(image) for image, _ in pairs}


@pytest.mark.usefixtures("zoo")
def test_vessels_are_scored_as_volumes_where_a_plane_cuts_them(pair: tuple[Path, Path]) -> None:
    found = compare("tiny3d", "more3d", [pair[0]], [pair[1]], axes="ZYX", metrics=("cldice", "dice"))
    assert [(row.plane, [*row.old]) for row in found.rows] == [
        ((), ["cldice"]), ((0,), ["dice"]), ((1,), ["dice"]), ((2,), ["dice"]),
    ]  # fmt: skip
    truth = tifffile.imread(pair[1]) > 0
    assert found.rows[0].new["cldice"] == pytest.approx(metrics.cldice(labels_of(pair[0], "more3d"), truth))
    assert found.verdict.startswith("No difference can be seen with 1 image (clDice ")


@pytest.mark.usefixtures("zoo")
def test_a_plane_without_the_inside_of_a_cell_has_no_v_rand(pair: tuple[Path, Path]) -> None:
    truth = tifffile.imread(pair[1])
    truth[1] = 0
    tifffile.imwrite(pair[1], truth, photometric="minisblack")
    found = compare("tiny2d", "more2d", [pair[0]], [pair[1]], axes="ZYX", metrics=("v_rand", "iou"))
    assert [[*row.old] for row in found.rows] == [["v_rand", "iou"], ["iou"], ["v_rand", "iou"]]
    assert found.differences["v_rand"].n == 2


@pytest.mark.usefixtures("zoo")
def test_what_cannot_be_compared_is_told_in_one_line(pair: tuple[Path, Path], zoo: Path) -> None:
    with pytest.raises(RecipeError, match="tiny2d does not find the same"):
        compare("tiny2d", "cdv-yolo", [pair[0]], [pair[1]], axes="ZYX")
    text = (zoo / "more2d" / "card.yaml").read_text(encoding="utf-8").replace("value: 1", "value: 2")
    (zoo / "more2d" / "card.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match="same task and classes"):
        compare("tiny2d", "more2d", [pair[0]], [pair[1]], axes="ZYX")
    with pytest.raises(RecipeError, match="2 images and 1"):
        compare("tiny2d", "tiny2d", [pair[0], pair[0]], [pair[1]], axes="ZYX")
    with pytest.raises(RecipeError, match="dise"):
        compare("tiny2d", "tiny2d", [pair[0]], [pair[1]], axes="ZYX", metrics=("dise",))
    for path in pair:
        tifffile.imwrite(path, np.zeros((32, 40), np.uint8), photometric="minisblack")
    with pytest.raises(IncompatibleImageError, match="Z axis"):
        compare("tiny3d", "tiny3d", [pair[0]], [pair[1]])


@pytest.mark.usefixtures("zoo")
def test_a_stopped_comparison_says_so(pair: tuple[Path, Path]) -> None:
    job = Job(lambda progress: job.cancel() if progress.done == 1 else None)
    with pytest.raises(Cancelled):
        compare("tiny2d", "more2d", [pair[0]], [pair[1]], axes="ZYX", job=job)


@pytest.mark.usefixtures("zoo")
def test_it_is_read_back_as_it_was_written(pair: tuple[Path, Path], tmp_path: Path) -> None:
    found = compare("tiny2d", "more2d", [pair[0]], [pair[1]], axes="ZYX", metrics=("v_rand", "iou"))
    found.write(tmp_path / "comparison.json")
    again = read_comparison(tmp_path / "comparison.json")
    assert again.as_dict() == found.as_dict()
    assert (again.rows, again.regions, again.metrics) == (found.rows, found.regions, found.metrics)
    assert again.planes == ()
    (tmp_path / "comparison.json").write_text('{"version": 1}', encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="damaged"):
        read_comparison(tmp_path / "comparison.json")


@pytest.fixture
def detectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The shipped detector, and one that is much surer of itself."""
    folder = shutil.copytree(shipped_models_folder() / "cdv-yolo", tmp_path / "zoo" / "picky")
    text = (folder / "card.yaml").read_text(encoding="utf-8")
    text = text.replace("name: cdv-yolo\n", "name: picky\n").replace("threshold: 0.4", "threshold: 0.9")
    (folder / "card.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("BIOSEG_MODELS", str(tmp_path / "zoo"))
    return "cdv-yolo", "picky"


def test_detectors_are_compared_frame_by_frame(detectors: tuple[str, str], tmp_path: Path) -> None:
    frames, boxes = emccd_frames((4, 64, 80), 0.1, 1)
    frames[2] = frames[2].min()
    boxes = boxes[(boxes.frame == 0) | (boxes.frame == 3)]
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    write_boxes_csv(tmp_path / "a.csv", boxes)
    names = ("f1", "count_error", "map50")
    found = compare(*detectors, [tmp_path / "a.tif"], [tmp_path / "a.csv"], axes="TYX", metrics=names)
    assert [row.plane for row in found.rows] == [(0,), (1,), (3,)]
    assert found.unit == "frame"
    for side, model in zip(("old", "new"), detectors, strict=True):
        mine = detect(image_from_array(frames, "TYX"), model=model).boxes
        for row in found.rows:
            at = mine[mine.frame == row.plane[0]], boxes[boxes.frame == row.plane[0]]
            assert getattr(row, side)["f1"] == pytest.approx(f1_at(*at, 2))
            assert getattr(row, side)["count_error"] == pytest.approx(count_error(*at))
    assert ["map50" in row.old for row in found.rows] == [True, False, True]
    # Ranked by confidence: the same network.
    assert found.differences["map50"].mean == 0
    assert found.differences["count_error"].n == 3
    right = {side: sum(len(getattr(p, side)) for p in found.planes) for side in ("old", "new", "truth")}
    assert right["truth"] == len(boxes)
    assert right["new"] < right["old"]
    assert found.regions
    assert all(region.plane != (2,) for region in found.regions)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ([0.9] * 4, [0.7, 0.71, 0.72, 0.7], "worse on original data: forgetting (IoU 0.90 -> 0.71 on 4 slices of it)"),
        ([0.9] * 4, [0.899] * 4, "as good on original data (IoU 0.90 -> 0.90 on 4 slices of it)"),
        ([0.9] * 4, [0.95] * 4, "as good on original data (IoU 0.90 -> 0.95 on 4 slices of it)"),
        (
            [0.9] * 2,
            [0.5] * 2,
            "perhaps worse on original data, too little of it to tell (IoU 0.90 -> 0.50 on 2 slices of it)",
        ),
        ([], [], "nothing could be scored on original data (it)"),
    ],
)
def test_forgetting_in_words(make_rows: Callable[..., list], old: list[float], new: list[float], words: str) -> None:
    assert original_words(make_rows(old, new), paired_difference("iou", old, new), "semantic", "it") == words


@pytest.fixture
def make_rows() -> Callable[..., list]:
    from napari_bioseg.workflows.comparison_result import Unit

    return lambda old, new: [
        Unit("i", (z,), "g", {"iou": a}, {"iou": b}) for z, (a, b) in enumerate(zip(old, new, strict=True))
    ]
