"""From a file to labels and back to a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_bioseg import open_image, segment
from napari_bioseg.core import (
    Cancelled,
    IncompatibleImageError,
    Job,
    RecipeError,
    UnwritableFileError,
    image_from_array,
)
from napari_bioseg.io import write_ome_zarr
from napari_bioseg.models import load_model
from napari_bioseg.workflows import segmentation as verb
from napari_bioseg.workflows.options import SegmentOptions

pytestmark = pytest.mark.usefixtures("tiny_zoo")


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    data = np.random.default_rng(0).integers(0, 255, (3, 40, 56), dtype=np.uint8)
    path = tmp_path / "stack.ome.tif"
    metadata = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    tifffile.imwrite(path, data, metadata=metadata)
    return path


@pytest.mark.parametrize("ending", [".tif", ".ome.tif", ".ome.zarr"])
def test_labels_lie_on_the_image_in_every_format(stack: Path, tmp_path: Path, ending: str) -> None:
    image = open_image(stack)
    result = segment(image, model="tiny2d", threshold=0.5)
    out = tmp_path / f"labels{ending}"
    assert verb.save(result, out, image) == [out]
    back = open_image(out)
    labels = back.labels[0] if ending == ".ome.zarr" else back
    assert labels.axes == "ZYX"
    assert labels.scale == image.scale == (2.0, 0.5, 0.5)
    assert labels.units == image.units
    assert labels.dtype == np.uint32
    assert np.array_equal(labels.data, result.labels[:])
    assert 0 < result.labels[:].mean() < 1


def test_a_zarr_holds_the_image_too(stack: Path, tmp_path: Path) -> None:
    image = open_image(stack)
    verb.save(segment(image, model="tiny2d"), tmp_path / "out.ome.zarr", image)
    back = open_image(tmp_path / "out.ome.zarr")
    assert np.array_equal(back.data, image.data)
    assert back.labels[0].name == "tiny2d"


def test_a_region_is_the_same_part_of_the_whole(stack: Path, tmp_path: Path) -> None:
    image = open_image(stack)
    whole = segment(image, model="tiny2d").labels[:]
    part = segment(image, model="tiny2d", region="Z=1,Y=8:30,X=10:50")
    assert np.array_equal(part.labels[:], whole[1:2, 8:30, 10:50])
    verb.save(part, tmp_path / "part.ome.zarr", image)
    back = open_image(tmp_path / "part.ome.zarr")
    assert np.array_equal(back.data, np.asarray(image.data)[1:2, 8:30, 10:50])
    assert back.labels[0].translate == back.translate == (2.0, 4.0, 5.0)


def test_provenance_is_in_the_file(stack: Path, tmp_path: Path) -> None:
    image = open_image(stack)
    result = segment(image, model="tiny2d", threshold=0.4)
    verb.save(result, tmp_path / "out.ome.tif", image)
    kept = open_image(tmp_path / "out.ome.tif").metadata["provenance"]
    assert kept["options"]["threshold"] == 0.4
    assert len(kept["sha256"]) == 64
    assert kept == result.provenance


def test_the_cards_threshold_is_used_and_recorded(stack: Path) -> None:
    assert segment(stack, model="tiny2d").options.threshold == 0.5


def test_the_card_says_where_gaps_are_closed_unless_the_user_does(stack: Path, tiny_zoo: Path) -> None:
    before = segment(stack, model="tiny2d", threshold=0.1)
    text = (tiny_zoo / "tiny2d" / "card.yaml").read_text(encoding="utf-8").replace("separate: 0.0", "separate: 0.35")
    (tiny_zoo / "tiny2d" / "card.yaml").write_text(text, encoding="utf-8")
    closed = segment(stack, model="tiny2d", threshold=0.1)
    assert closed.options.separate == 0.35
    assert closed.provenance["options"]["separate"] == closed.provenance["separate"] == 0.35
    assert ((before.labels[:] > 0) & (closed.labels[:] == 0)).any()
    off = segment(stack, model="tiny2d", threshold=0.1, separate=0)
    assert off.options.separate == before.options.separate == 0
    assert np.array_equal(off.labels[:], before.labels[:])


def test_probabilities_are_written_beside(stack: Path, tmp_path: Path) -> None:
    image = open_image(stack)
    result = segment(image, model="tiny2d")
    written = verb.save(result, tmp_path / "out.ome.zarr", image, probabilities=True)
    assert [p.name for p in written] == ["out.ome.zarr", "out.probabilities.ome.zarr"]
    back = open_image(written[1])
    assert (back.axes, back.channel_names) == ("CZYX", ("thing",))
    assert np.array_equal(np.asarray(back.data) > 0.5, result.prediction.probabilities[:] > 0.5)


def test_a_model_that_does_not_fit_says_why(stack: Path, tiny_zoo: Path) -> None:
    text = (tiny_zoo / "tiny2d" / "card.yaml").read_text(encoding="utf-8").replace("axes: YX", "axes: ZYX")
    (tiny_zoo / "tiny2d" / "card.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(IncompatibleImageError, match="no Z axis"):
        segment(image_from_array(np.zeros((8, 8), np.uint8), "YX"), model="tiny2d")


def test_a_wrong_option_is_named(stack: Path) -> None:
    with pytest.raises(RecipeError, match="treshold"):
        segment(stack, model="tiny2d", treshold=0.5)
    with pytest.raises(RecipeError, match="model"):
        segment(stack)


@pytest.mark.parametrize("name", ["labels.png", "labels", "missing/labels.tif"])
def test_a_wrong_output_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnwritableFileError):
        verb.check_ending(tmp_path / name)


@pytest.mark.parametrize(("ending", "name"), [(".tif", "stack.tif"), (".ome.zarr", "o.ome.zarr")])
def test_the_image_is_never_replaced(tmp_path: Path, ending: str, name: str) -> None:
    path = tmp_path / name
    if ending == ".tif":
        tifffile.imwrite(path, np.zeros((20, 24), np.uint8))
    else:
        write_ome_zarr(path, image_from_array(np.zeros((20, 24), np.uint8), "YX"), {}, provenance={})
    image = open_image(path)
    with pytest.raises(UnwritableFileError, match="is the image itself"):
        verb.check_ending(path, image.source)
    with pytest.raises(UnwritableFileError, match="is the image itself"):
        verb.save(segment(image, model="tiny2d"), path, image)
    assert open_image(path).dtype == np.uint8


def test_probabilities_never_replace_the_image(tmp_path: Path) -> None:
    path = tmp_path / "a.probabilities.tif"
    tifffile.imwrite(path, np.zeros((20, 24), np.uint8))
    image = open_image(path)
    with pytest.raises(UnwritableFileError, match="is the image itself"):
        verb.save(segment(image, model="tiny2d"), tmp_path / "a.tif", image, probabilities=True)
    assert [p.name for p in tmp_path.glob("*.tif")] == [path.name]


def test_missing_planes_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "stopped.ome.tif"
    tifffile.imwrite(path, np.ones((3, 20, 30), np.uint8), metadata={"axes": "TYX"})
    path.write_bytes(path.read_bytes().replace(b'SizeT="3"', b'SizeT="4"'))
    job = Job()
    result = segment(path, model="tiny2d", job=job)
    note = "Planes that are missing from the file and were read as zeros: 1"
    assert note in job.notes
    assert note in result.provenance["notes"]


def test_a_cancelled_segmentation_is_kept_but_not_saved(tmp_path: Path) -> None:
    image = image_from_array(np.random.default_rng(0).integers(0, 255, (6, 64, 64), dtype=np.uint8), "ZYX")
    job = Job(lambda progress: job.cancel() if progress.done == 2 else None)
    options, model = SegmentOptions(model="tiny2d", tile=64), load_model("tiny2d")
    result = verb.decode(verb.predict_image(image, model, options, job=job), options, model)
    assert not result.prediction.done
    done = [bool(plane.any()) for plane in result.prediction.probabilities[0]]
    assert done[0]
    assert not done[-1]
    with pytest.raises(Cancelled):
        verb.save(result, tmp_path / "out.ome.zarr", image)
    assert not (tmp_path / "out.ome.zarr").exists()


def test_a_cancelled_segmentation_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "decode_volume", lambda *_, **__: pytest.fail("decoded"))
    image = image_from_array(np.zeros((6, 64, 64), np.uint8), "ZYX")
    job = Job(lambda progress: job.cancel() if progress.done == 2 else None)
    with pytest.raises(Cancelled):
        segment(image, SegmentOptions(model="tiny2d", tile=64), job=job)


def test_labels_bear_the_name_of_the_model(
    stack: Path, tmp_path: Path, tiny_zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_zoo / "tiny2d")
    image = open_image(stack)
    verb.save(segment(image, model="."), tmp_path / "out.ome.zarr", image)
    assert open_image(tmp_path / "out.ome.zarr").labels[0].name == "tiny2d"


def test_instances_are_numbered(stack: Path, tmp_path: Path) -> None:
    image = open_image(stack)
    result = segment(image, model="tiny2d", instances=True)
    assert result.labels[:].max() > 1
    verb.save(result, tmp_path / "out.ome.zarr", image)
    store = zarr.open_group(tmp_path / "out.ome.zarr", mode="r")
    assert "labels/tiny2d" in store
