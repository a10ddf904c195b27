from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.core import Cancelled, Image, Job, Progress, UnwritableFileError, image_from_array
from napari_bioseg.io import LabelsToWrite, add_labels, holds_image, omezarr_store, open_image, write_ome_zarr
from napari_bioseg.io.omezarr_store import layout, regions
from napari_bioseg.io.pyramid import halve_mean, halve_mode

RNG = np.random.default_rng(9)
MICRONS = ("micrometer",) * 3
PROVENANCE = {"model": "cells", "sha256": "ab", "recipe": {"threshold": 0.5}, "version": "1"}
CLASSES = {1: ("cell", (255, 0, 0, 255)), 7: ("vessel", (0, 255, 0, 128))}


def an_image(shape: tuple[int, ...] = (40, 300, 270), axes: str = "ZYX", dtype: str = "uint16") -> Image:
    pixels = (RNG.random(shape) * 250).astype(dtype)
    image = image_from_array(pixels, axes, pixel_size={"Z": 2.0, "Y": 0.5, "X": 0.5}, name="probe")
    return replace(image, translate=tuple(float(i) for i in range(len(axes))))


def some_labels(shape: tuple[int, ...] = (40, 300, 270), classes: Any = None) -> LabelsToWrite:
    values = RNG.integers(0, 9, shape, dtype=np.uint32)
    values.flat[-1] = 2**32 - 1
    return LabelsToWrite(values, "ZYX", (2.0, 0.5, 0.5), MICRONS, (1.0, 2.0, 3.0), classes or {})


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_everything_comes_back(tmp_path: Path, version: str) -> None:
    image, labels = an_image(), some_labels(classes=CLASSES)
    path = tmp_path / "Größe µ 1.ome.zarr"
    write_ome_zarr(path, image, {"cells": labels}, provenance=PROVENANCE, version=version)
    back = open_image(path)
    assert (back.axes, back.scale, back.units, back.translate) == ("ZYX", image.scale, image.units, image.translate)
    assert (back.name, back.metadata["provenance"]) == ("probe", PROVENANCE)
    np.testing.assert_array_equal(back.data.compute(), image.data.compute())
    (cells,) = back.labels
    assert (cells.name, cells.dtype, cells.axes) == ("cells", np.uint32, "ZYX")
    assert (cells.scale, cells.units, cells.translate) == (labels.scale, labels.units, labels.translate)
    assert cells.metadata["provenance"] == PROVENANCE
    assert cells.metadata["image-label"]["properties"][1:] == [
        {"label-value": 1, "name": "cell"},
        {"label-value": 7, "name": "vessel"},
    ]
    np.testing.assert_array_equal(cells.data.compute(), labels.array)


def test_levels_are_means_and_modes_and_say_where_they_lie(tmp_path: Path) -> None:
    image, labels = an_image(), some_labels()
    write_ome_zarr(tmp_path / "a.zarr", image, {"cells": labels}, provenance={})
    root = zarr.open_group(tmp_path / "a.zarr", mode="r")
    np.testing.assert_array_equal(root["1"][:], halve_mean(image.data.compute(), (1, 2, 2)))
    np.testing.assert_array_equal(root["labels/cells/1"][:], halve_mode(labels.array, (1, 2, 2)))
    transforms = root.attrs["ome"]["multiscales"][0]["datasets"][1]["coordinateTransformations"]
    assert transforms[0] == {"type": "scale", "scale": [2.0, 1.0, 1.0]}
    assert transforms[1] == {"type": "translation", "translation": [0.0, 1.25, 2.25]}
    assert root["0"].metadata.dimension_names == ("z", "y", "x")
    assert root["0"].shards is not None


def test_the_older_version_holds_the_same_as_its_readers_expect_it(tmp_path: Path) -> None:
    image, labels = replace(an_image(), channel_names=("DAPI",)), some_labels(classes=CLASSES)
    for version in ("0.5", "0.4"):
        path = tmp_path / f"{version}.zarr"
        write_ome_zarr(path, image, {"cells": labels}, provenance=PROVENANCE, version=version)
    new, old = (zarr.open_group(tmp_path / f"{v}.zarr", mode="r") for v in ("0.5", "0.4"))
    for name in ("0", "1", "labels/cells/0", "labels/cells/1"):
        np.testing.assert_array_equal(old[name][:], new[name][:])
        assert (old[name].chunks, old[name].shards) == (new[name].chunks, None)
    assert not list((tmp_path / "0.4.zarr").rglob("zarr.json"))
    assert (tmp_path / "0.4.zarr" / "0" / "1" / "2" / "2").is_file()
    top, label = dict(old.attrs), dict(old["labels/cells"].attrs)
    assert top == {
        "bioseg": {"provenance": PROVENANCE},
        "multiscales": [{"version": "0.4", **new.attrs["ome"]["multiscales"][0]}],
        "omero": new.attrs["ome"]["omero"],
    }
    assert dict(old["labels"].attrs) == {"labels": ["cells"]}
    assert label["multiscales"][0]["version"] == label["image-label"]["version"] == "0.4"
    assert label["bioseg"] == {"provenance": PROVENANCE}


def test_labels_of_the_older_version_refer_to_an_image(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "image.zarr", an_image(), {}, provenance={}, version="0.4")
    image = open_image(tmp_path / "image.zarr")
    write_ome_zarr(tmp_path / "r.zarr", image, {"new": some_labels()}, provenance={}, link=True, version="0.4")
    assert not (tmp_path / "r.zarr" / "0").exists()
    back = open_image(tmp_path / "r.zarr")
    assert ([label.name for label in back.labels], back.shape) == (["new"], image.shape)


def test_other_versions_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnwritableFileError, match=r"a\.zarr: OME-Zarr 0\.3 is not written\. Ask for 0\.5 or 0\.4"):
        write_ome_zarr(tmp_path / "a.zarr", an_image(), {}, provenance={}, version="0.3")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shape", "axes", "stored"),
    [
        ((300, 20), "YX", "YX"),
        ((3, 2, 4, 30, 20), "TCZYX", "TCZYX"),
        ((3, 4, 2, 30, 20), "TZCYX", "TCZYX"),
        ((2, 3, 30, 20), "TRYX", "TRYX"),
        ((30, 20, 3), "YXS", "CYX"),
    ],
)
def test_axes_take_the_order_of_the_specification(
    tmp_path: Path, shape: tuple[int, ...], axes: str, stored: str
) -> None:
    image = an_image(shape, axes, "uint8")
    write_ome_zarr(tmp_path / "a.zarr", image, {}, provenance={})
    back = open_image(tmp_path / "a.zarr")
    assert back.axes == stored
    order = [axes.replace("S", "C").index(a) for a in stored]
    np.testing.assert_array_equal(back.data.compute(), image.data.compute().transpose(order))
    assert back.translate == tuple(image.translate[i] for i in order)


def test_channels_keep_names_and_get_their_range(tmp_path: Path) -> None:
    pixels = np.stack([np.full((20, 30), 5), np.arange(600).reshape(20, 30)]).astype(np.float32)
    pixels[0, 0, 0] = np.nan
    image = replace(image_from_array(pixels, "CYX"), channel_names=("DAPI", "actin"))
    write_ome_zarr(tmp_path / "a.zarr", image, {}, provenance={})
    assert open_image(tmp_path / "a.zarr").channel_names == ("DAPI", "actin")
    channels = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs["ome"]["omero"]["channels"]
    assert [(c["window"]["start"], c["window"]["end"]) for c in channels] == [(5.0, 5.0), (0.0, 599.0)]


@pytest.mark.parametrize("axes", ["CYXS", "RCYX", "RYXS"])
def test_axes_without_a_place_are_refused(tmp_path: Path, axes: str) -> None:
    with pytest.raises(UnwritableFileError, match="no place for axes"):
        write_ome_zarr(tmp_path / "a.zarr", an_image((3, 5, 6, 3)[: len(axes)], axes), {}, provenance={})
    assert list(tmp_path.iterdir()) == []


def test_a_link_refers_to_the_image_instead_of_copying_it(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "image.zarr", an_image(), {"old": some_labels()}, provenance={"who": "image"})
    image = open_image(tmp_path / "image.zarr")
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "result.zarr"
    write_ome_zarr(path, image, {"new": some_labels()}, provenance={"who": "labels"}, link=True)
    assert not (path / "0").exists()
    back = open_image(path)
    assert ([label.name for label in back.labels], back.metadata["provenance"]) == (["new"], {"who": "labels"})
    np.testing.assert_array_equal(back.data.compute(), image.data.compute())
    source = zarr.open_group(path / "labels" / "new", mode="r").attrs["ome"]["image-label"]["source"]["image"]
    assert (path / "labels" / "new" / source).resolve() == (tmp_path / "image.zarr").resolve()
    (tmp_path / "image.zarr").rename(tmp_path / "moved.zarr")
    with pytest.raises(OSError, match=r"the image it refers to is missing: .*image\.zarr"):
        open_image(path)


def test_a_link_never_replaces_its_own_image(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "image.zarr", an_image(), {}, provenance={})
    with pytest.raises(UnwritableFileError, match="is the image itself"):
        write_ome_zarr(tmp_path / "image.zarr", open_image(tmp_path / "image.zarr"), {}, provenance={}, link=True)
    assert open_image(tmp_path / "image.zarr").shape == (40, 300, 270)


def test_a_crop_is_copied_even_with_a_link(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "image.zarr", an_image(), {}, provenance={})
    image = open_image(tmp_path / "image.zarr")
    crop = replace(image, levels=(image.data[:3],), level_scales=())
    write_ome_zarr(tmp_path / "crop.zarr", crop, {}, provenance={}, link=True)
    assert open_image(tmp_path / "crop.zarr").shape == (3, 300, 270)


def test_an_image_is_never_written_over_itself(tmp_path: Path) -> None:
    path = tmp_path / "o.zarr"
    write_ome_zarr(path, an_image(), {"old": some_labels()}, provenance={})
    image = open_image(path)
    with pytest.raises(UnwritableFileError, match=r"o\.zarr: is the image itself\. Choose another name"):
        write_ome_zarr(tmp_path / "." / "o.zarr", image, {"new": some_labels()}, provenance={})
    with pytest.raises(UnwritableFileError, match="holds the image, or is a part of it"):
        write_ome_zarr(path, image.labels[0], {}, provenance={})
    assert [label.name for label in open_image(path).labels] == ["old"]


def make_plate(path: Path) -> None:
    root = zarr.create_group(path, attributes={"ome": {"version": "0.5", "plate": {"wells": [{"path": "A/1"}]}}})
    root.create_group("A/1", attributes={"ome": {"well": {"images": [{"path": "0"}]}}}).create_group("0")


def make_linked(path: Path) -> None:
    write_ome_zarr(path.with_name("image.zarr"), an_image(), {}, provenance={})
    write_ome_zarr(path, open_image(path.with_name("image.zarr")), {}, provenance={}, link=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: write_ome_zarr(path, an_image(), {}, provenance={}),
        lambda path: zarr.create_array(path, shape=(3, 4), dtype="u1"),
        lambda path: zarr.create_group(path).create_array("raw", shape=(3, 4), dtype="u1"),
        lambda path: (path.mkdir(), (path / "zarr.json").write_text("{ cut")),
        make_plate,
        make_linked,
    ],
)
def test_labels_alone_never_replace_an_image(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "o.zarr"
    make(path)
    before = sorted(path.rglob("*"))
    assert holds_image(path)
    with pytest.raises(UnwritableFileError, match=r"o\.zarr: holds an image\. Choose another name"):
        write_ome_zarr(path, None, {"cells": some_labels()}, provenance={})
    assert sorted(path.rglob("*")) == before


def test_labels_alone_replace_labels(tmp_path: Path) -> None:
    for name in ("old", "new"):
        assert not holds_image(tmp_path / "a.zarr")
        write_ome_zarr(tmp_path / "a.zarr", None, {name: some_labels()}, provenance={})
    assert [p.name for p in (tmp_path / "a.zarr" / "labels").iterdir() if p.is_dir()] == ["new"]


def test_labels_alone(tmp_path: Path) -> None:
    labels = some_labels()
    write_ome_zarr(tmp_path / "a.zarr", None, {"cells": labels}, provenance={})
    back = open_image(tmp_path / "a.zarr")
    assert (back.dtype, back.translate) == (np.uint32, (1.0, 2.0, 3.0))
    np.testing.assert_array_equal(back.data.compute(), labels.array)


def test_labels_are_added_to_a_store_and_replaced_when_told(tmp_path: Path) -> None:
    path, first, second = tmp_path / "a.zarr", some_labels(), some_labels()
    write_ome_zarr(path, an_image(), {}, provenance={})
    add_labels(path, "one", first, provenance={"run": 1})
    add_labels(path, "two", first, provenance={"run": 2})
    with pytest.raises(UnwritableFileError, match="exists already"):
        add_labels(path, "one", second, provenance={})
    add_labels(path, "one", second, provenance={"run": 3}, overwrite=True)
    labels = {label.name: label for label in open_image(path).labels}
    assert sorted(labels) == ["one", "two"]
    assert labels["one"].metadata["provenance"] == {"run": 3}
    np.testing.assert_array_equal(labels["one"].data.compute(), second.array)
    assert sorted(p.name for p in (path / "labels").iterdir()) == ["one", "two", "zarr.json"]


def test_cancelling_an_addition_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_ome_zarr(path, an_image(), {"one": some_labels()}, provenance={})
    job = Job(lambda progress: job.cancel() if progress.done == 1 else None)
    with pytest.raises(Cancelled):
        add_labels(path, "two", some_labels(), provenance={}, job=job)
    assert sorted(p.name for p in (path / "labels").iterdir()) == ["one", "zarr.json"]
    assert [label.name for label in open_image(path).labels] == ["one"]


def test_cancelling_the_first_addition_leaves_no_folder_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_ome_zarr(path, an_image(), {}, provenance={})
    before = sorted(path.rglob("*"))
    job = Job(lambda progress: job.cancel() if progress.done == 1 else None)
    with pytest.raises(Cancelled):
        add_labels(path, "one", some_labels(), provenance={}, job=job)
    assert sorted(path.rglob("*")) == before


@pytest.mark.filterwarnings("ignore:Consolidated metadata:UserWarning")
def test_labels_added_to_a_store_with_consolidated_metadata_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_ome_zarr(path, an_image(), {}, provenance={})
    zarr.consolidate_metadata(path)
    for name in ("one", "two"):
        add_labels(path, name, some_labels(), provenance={})
    assert [label.name for label in open_image(path).labels] == ["one", "two"]
    assert "two" in zarr.open_group(path, mode="r")["labels"]


def test_labels_are_not_added_beside_the_images_of_a_plate(tmp_path: Path) -> None:
    make_plate(tmp_path / "p.zarr")
    with pytest.raises(UnwritableFileError, match="holds several images"):
        add_labels(tmp_path / "p.zarr", "cells", some_labels(), provenance={})


def test_only_stores_of_our_version_take_labels(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "old.zarr", zarr_format=2)
    zarr.create_group(tmp_path / "plain.zarr", zarr_format=3)
    zarr.create_array(tmp_path / "array.zarr", shape=(3, 4), dtype="u1")
    for name in ("old.zarr", "plain.zarr", "array.zarr", "gone.zarr"):
        with pytest.raises(UnwritableFileError, match=r"is no OME-Zarr 0\.5"):
            add_labels(tmp_path / name, "cells", some_labels((2, 3, 4)), provenance={})


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "zarr.json", "c:\\x"])
def test_names_that_leave_the_store_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnwritableFileError, match="is no name for labels"):
        write_ome_zarr(tmp_path / "a.zarr", None, {name: some_labels((2, 3, 4))}, provenance={})
    assert list(tmp_path.iterdir()) == []


def test_a_store_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path, image = tmp_path / "a.zarr", an_image()
    seen: list[Progress] = []
    write_ome_zarr(path, image, {"cells": some_labels()}, provenance={}, job=Job(seen.append))
    assert (seen[-1].done, seen[-1].message) == (seen[-1].total, "Writing labels cells")
    job = Job(lambda progress: job.cancel() if progress.done == 2 else None)
    with pytest.raises(Cancelled):
        write_ome_zarr(path, an_image(), {"cells": some_labels()}, provenance={}, job=job)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    np.testing.assert_array_equal(open_image(path).data.compute(), image.data.compute())
    with pytest.raises(UnwritableFileError, match="exists already"):
        write_ome_zarr(path, image, {}, provenance={}, overwrite=False)


def test_a_folder_of_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "thesis.txt").write_text("years of work")
    with pytest.raises(UnwritableFileError, match="is a folder that holds other files"):
        write_ome_zarr(tmp_path / "results", an_image(), {}, provenance={})
    assert (tmp_path / "results" / "thesis.txt").exists()


def test_labels_that_do_not_fit_leave_nothing(tmp_path: Path) -> None:
    wrong = replace(some_labels((2, 3, 4)), array=np.full((2, 3, 4), 2**32))
    with pytest.raises(UnwritableFileError, match="above 4294967295"):
        write_ome_zarr(tmp_path / "a.zarr", an_image(), {"cells": wrong}, provenance={})
    assert list(tmp_path.iterdir()) == []


def test_no_two_writes_meet_in_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(omezarr_store, "VOLUME", {"Z": (8, 16), "Y": (32, 64), "X": (32, 64)})
    written: dict[str, list[tuple[slice, ...]]] = {}
    plain = zarr.Array.__setitem__

    def watched(self: Any, key: Any, value: Any) -> None:
        written.setdefault(self.name, []).append(key)
        plain(self, key, value)

    monkeypatch.setattr(zarr.Array, "__setitem__", watched)
    image = an_image()
    chunked = replace(image, levels=(image.data.rechunk((1, 300, 270)),))
    write_ome_zarr(tmp_path / "a.zarr", chunked, {"cells": some_labels()}, provenance={})
    root = zarr.open_group(tmp_path / "a.zarr", mode="r")
    for name, keys in written.items():
        shards = root[name.strip("/")].shards
        owners = [tuple((s.start // n, -(-s.stop // n)) for s, n in zip(key, shards, strict=True)) for key in keys]
        cells = [
            (z, y, x) for (z0, z1), (y0, y1), (x0, x1) in owners
            for z in range(z0, z1) for y in range(y0, y1) for x in range(x0, x1)
        ]  # fmt: skip
        assert len(cells) == len(set(cells)) > 1
        assert all(s.start % n == 0 for key in keys for s, n in zip(key, shards, strict=True))
    np.testing.assert_array_equal(open_image(tmp_path / "a.zarr").data.compute(), image.data.compute())


def test_memory_stays_below_the_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(omezarr_store, "VOLUME", {"Z": (16, 16), "Y": (128, 256), "X": (128, 256)})
    monkeypatch.setattr(omezarr_store, "BUDGET", 2**24)
    volume = da.zeros((128, 512, 512), chunks=(16, 512, 512), dtype=np.uint32) + np.uint32(7)
    labels = LabelsToWrite(volume, "ZYX", (1.0,) * 3, MICRONS, (0.0,) * 3)
    tracemalloc.start()
    write_ome_zarr(tmp_path / "a.zarr", None, {"cells": labels}, provenance={})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert volume.nbytes == 2**27
    assert peak < 2**26.5
    assert (open_image(tmp_path / "a.zarr").levels[1][5].compute() == 7).all()


@given(st.lists(st.integers(1, 3000), min_size=2, max_size=3).map(tuple))
def test_shards_are_whole_chunks_and_cover_the_array(shape: tuple[int, ...]) -> None:
    chunks, shards = layout(shape, "ZYX"[-len(shape) :])
    for n, chunk, shard in zip(shape, chunks, shards, strict=True):
        assert shard % chunk == 0
        assert chunk <= n
        assert shard < n + chunk
    assert sum(np.prod([s.stop - s.start for s in r]) for r in regions(shape, shards)) == np.prod(shape)


@pytest.mark.parametrize(("budget", "steps"), [(2**22, 16), (2**24, 4), (2**26, 1)])
def test_regions_take_in_the_chunks_of_the_source_as_far_as_memory_allows(
    monkeypatch: pytest.MonkeyPatch, budget: int, steps: int
) -> None:
    monkeypatch.setattr(omezarr_store, "BUDGET", budget)
    shard = (16, 256, 256)  # 4 MiB of uint32
    array = zarr.create_array(store={}, shape=(16, 1024, 1024), chunks=shard, shards=shard, dtype=np.uint32)
    pages = da.zeros(array.shape, chunks=(1, 1024, 1024), dtype=np.uint32)
    assert omezarr_store.count_regions([array], pages) == steps
    assert omezarr_store.count_regions([array], np.zeros((16, 1024, 1024), np.uint32)) == 16
