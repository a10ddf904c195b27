"""Tables of objects: what they say, whatever the axes, and the files that they go to."""

from __future__ import annotations

import csv
import tracemalloc
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import zarr
from pyarrow import parquet

from napari_bioseg.core import (
    Cancelled,
    IncompatibleImageError,
    Job,
    RecipeError,
    UnwritableFileError,
    image_from_array,
)
from napari_bioseg.workflows import object_table as verb
from napari_bioseg.workflows.object_table import ObjectTable, object_table, write_parquet, write_table

RNG = np.random.default_rng(8)
SIZE = {"Z": 2.0, "Y": 0.5, "X": 0.25}
PX = ["z_px", "y_px", "x_px"]
BOX = ["z_min", "y_min", "x_min", "z_max", "y_max", "x_max"]
GREY = ["intensity_mean", "intensity_min", "intensity_max", "intensity_sd"]


def two_objects():
    labels = np.zeros((6, 10, 20), np.uint32)
    labels[1:3, 2:6, 4:12] = 5
    labels[4, 7, 19] = 4_000_000_000
    return labels


def an_image(axes="ZYX", sizes=SIZE, shape=(6, 10, 20)):
    return image_from_array(RNG.integers(0, 4000, shape, dtype=np.uint16), axes, pixel_size=sizes)


def test_a_row_says_where_an_object_lies_and_how_large_and_bright_it_is():
    labels = two_objects()
    image = replace(an_image(), translate=(100.0, 10.0, 1.0))
    table = object_table(labels, "ZYX", image)
    assert [*table.columns] == ["label", "pixels", "volume_um3", *PX, "z_um", "y_um", "x_um", *BOX, *GREY]
    rows = list(zip(*(column.tolist() for column in table.columns.values()), strict=True))
    inside = image.data.compute()[labels == 5].astype(float)
    grey = (inside.mean(), inside.min(), inside.max(), inside.std())
    place = (1.5, 3.5, 7.5, 103.0, 11.75, 2.875)
    assert rows[0] == pytest.approx((5, 64, 16.0, *place, 1, 2, 4, 2, 5, 11, *grey))
    assert rows[1][:3] == (4_000_000_000, 1, 0.25)


@pytest.mark.parametrize(
    ("sizes", "planar", "expected"),
    [
        (SIZE, False, ["volume_um3", *PX, "z_um", "y_um", "x_um"]),
        (SIZE, True, ["area_um2", *PX, "z_um", "y_um", "x_um"]),
        ({"Y": 0.5, "X": 0.25}, False, [*PX, "y_um", "x_um"]),
        ({"Y": 0.5, "X": 0.25}, True, ["area_um2", *PX, "y_um", "x_um"]),
        ({}, True, PX),
    ],
)
def test_columns_in_micrometres_are_there_where_the_pixel_size_is(sizes, planar, expected):
    table = object_table(two_objects(), "ZYX", an_image(sizes=sizes), planar=planar)
    assert [*table.columns][2 : -len([*BOX, *GREY])] == expected
    if "area_um2" in expected:
        assert table.columns["area_um2"].tolist() == [8.0, 0.125]


def test_without_an_image_pixels_are_counted():
    assert [*object_table(two_objects()[1], "YX", None).columns] == [
        "label", "pixels", "y_px", "x_px", "y_min", "x_min", "y_max", "x_max",
    ]  # fmt: skip


def test_each_frame_and_position_is_measured_by_itself():
    labels = np.zeros((2, 3, 4, 5), np.uint8)
    labels[0, 0, 1:3, 1] = 1
    labels[0, 2, 0, :] = 1
    labels[1, 2, 3, 4] = 2
    table = object_table(labels, "RTYX", None, names={1: "cell"})
    rows = zip(*(table.columns[n].tolist() for n in ("position", "frame", "label", "class", "pixels")), strict=True)
    assert list(rows) == [(0, 0, 1, "cell", 2), (0, 2, 1, "cell", 5), (1, 2, 2, "", 1)]
    assert [*object_table(labels[0], "TYX", None).columns][:2] == ["frame", "label"]


def test_a_large_result_is_measured_in_blocks(tmp_path, monkeypatch):
    labels = np.repeat(np.arange(1, 17, dtype=np.uint32), 2**16).reshape(16, 256, 256)
    stored = zarr.create_array(tmp_path / "l.zarr", shape=labels.shape, chunks=(4, 32, 64), dtype="uint32")
    stored[:] = labels
    planes = da.random.default_rng(0).integers(0, 255, labels.shape, chunks=(1, 256, 256), dtype=np.uint8)
    image = image_from_array(planes, "ZYX")
    whole = object_table(labels, "ZYX", image)
    monkeypatch.setattr(verb, "_BLOCK", 2**14)
    heard = []
    tracemalloc.start()
    blocks = object_table(stored, "ZYX", image, job=Job(heard.append))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for name, column in whole.columns.items():
        assert np.allclose(blocks.columns[name], column, rtol=1e-12), name
    assert peak < labels.nbytes / 2
    assert (heard[-1].done, heard[-1].total, heard[-1].message) == (64, 64, "Measuring objects")


@pytest.mark.parametrize(("axes", "shape"), [("CYX", (3, 10, 20)), ("YXS", (10, 20, 3))])
def test_the_grey_values_are_those_of_the_channel_that_was_segmented(axes, shape):
    image, labels = an_image(axes, {}, shape), two_objects()[1]
    pixels = image.data.compute()[1] if axes == "CYX" else image.data.compute() @ (0.299, 0.587, 0.114)
    table = object_table(labels, "YX", image, channel=1 if axes == "CYX" else 0)
    assert table.columns["intensity_mean"].tolist() == pytest.approx([pixels[labels == 5].mean()], rel=1e-6)


def test_an_image_on_another_grid_or_channel_is_refused():
    with pytest.raises(IncompatibleImageError, match=r"has shape \(6, 10, 19\) along ZYX, its labels \(6, 10, 20\)"):
        object_table(two_objects(), "ZYX", an_image(shape=(6, 10, 19)))
    with pytest.raises(RecipeError, match="channel 1"):
        object_table(two_objects(), "ZYX", an_image(), channel=1)


def test_measuring_can_be_stopped():
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        object_table(two_objects(), "ZYX", None, job=job)


def test_both_files_hold_the_table(tmp_path):
    known = np.ma.MaskedArray([1, 2, 0], [0, 0, 1])
    columns = {"name": np.array(["Größe, µ", "b", ""]), "n": known, "x": np.array([1 / 3, 1e-7, np.inf])}
    paths = write_table(ObjectTable(columns), tmp_path / "a.b")
    assert paths == (tmp_path / "a.b.csv", tmp_path / "a.b.parquet")
    with paths[0].open(newline="", encoding="utf-8") as file:
        assert [*csv.reader(file)] == [
            ["name", "n", "x"],
            ["Größe, µ", "1", "0.3333333333"],
            ["b", "2", "1e-07"],
            ["", "", "inf"],
        ]
    packed = parquet.read_table(paths[1])
    assert packed.to_pydict() == {"name": ["Größe, µ", "b", ""], "n": [1, 2, None], "x": [1 / 3, 1e-7, np.inf]}
    write_parquet(ObjectTable(columns), tmp_path / "c.parquet")
    assert (tmp_path / "c.parquet").read_bytes() == paths[1].read_bytes()


def test_long_tables_are_written_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(verb, "_ROWS", 3)
    table = ObjectTable({"n": np.arange(8)})
    assert len(table) == 8
    plain, _ = write_table(table, tmp_path / "a")
    assert plain.read_text().split() == ["n", *map(str, range(8))]


def test_a_table_of_nothing_has_the_columns_of_any_other(tmp_path):
    full, empty = (object_table(v, "ZYX", an_image(), names={5: "cell"}) for v in (two_objects(), two_objects() * 0))
    assert len(empty) == 0
    schemas = [parquet.read_schema(write_table(t, tmp_path / n)[1]) for t, n in ((full, "full"), (empty, "empty"))]
    assert schemas[0] == schemas[1]


def test_files_appear_both_or_not_at_all(tmp_path):
    with pytest.raises(UnwritableFileError, match="does not exist"):
        write_table(ObjectTable({"n": np.arange(3)}), tmp_path / "no" / "a")
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(ValueError, match="Could not convert"):
        write_table(ObjectTable({"n": np.array([object(), object()])}), tmp_path / "a")
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"
