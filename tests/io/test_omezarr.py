from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_bioseg.core import UnknownAxesError, UnreadableFileError
from napari_bioseg.io import list_series, open_image

AXES = [
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "nanometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]
PIXELS = np.random.default_rng(7).integers(0, 999, (2, 6, 40, 50)).astype(np.uint16)


def multiscale(levels: int = 2, axes: list[dict[str, str]] | None = None, **more: Any) -> dict[str, Any]:
    axes = AXES if axes is None else axes
    datasets = []
    for i in range(levels):
        scale = [1.0] * (len(axes) - 3) + [500.0, 0.25 * 2**i, 0.25 * 2**i]
        translation = [0.0] * (len(axes) - 3) + [2000.0, 3.0, 4.0]
        transforms = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": translation}]
        datasets.append({"path": str(i), "coordinateTransformations": transforms})
    return {"axes": axes, "datasets": datasets, **more}


def fill(group: zarr.Group, levels: int = 2, pixels: np.ndarray[Any, Any] = PIXELS) -> None:
    for i in range(levels):
        level = pixels[..., :: 2**i, :: 2**i]
        array = group.create_array(
            str(i), shape=level.shape, dtype=level.dtype, chunks=(1,) * (level.ndim - 2) + (32, 32)
        )
        array[:] = level


def write_v04(path: Path, **more: Any) -> zarr.Group:
    group = zarr.create_group(path, zarr_format=2)
    group.attrs["multiscales"] = [multiscale(version="0.4", **more)]
    group.attrs["omero"] = {"channels": [{"label": "DAPI"}, {"label": ""}]}
    fill(group)
    return group


def write_v05(path: Path) -> zarr.Group:
    group = zarr.create_group(path, zarr_format=3)
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [multiscale()],
        "omero": {"channels": [{"label": "DAPI"}, {"label": ""}]},
    }
    fill(group)
    return group


@pytest.mark.parametrize("write", [write_v04, write_v05])
def test_both_formats(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "bild µ 1.ome.zarr")
    image = open_image(tmp_path / "bild µ 1.ome.zarr")
    assert (image.name, image.axes, image.channel_names) == ("bild µ 1", "CZYX", ("DAPI", "Channel 1"))
    assert image.scale == pytest.approx((1.0, 0.5, 0.25, 0.25))
    assert image.translate == pytest.approx((0.0, 2.0, 3.0, 4.0))
    assert image.units == (None, "micrometer", "micrometer", "micrometer")
    assert image.level_scales[1] == pytest.approx((1.0, 0.5, 0.5, 0.5))
    np.testing.assert_array_equal(image.data.compute(), PIXELS)
    np.testing.assert_array_equal(image.levels[1].compute(), PIXELS[..., ::2, ::2])


def test_a_transform_of_the_whole_multiscale_comes_after_those_of_levels(tmp_path: Path) -> None:
    outer = [{"type": "scale", "scale": [1, 2, 2, 2]}, {"type": "translation", "translation": [0, 0, 1, 1]}]
    write_v04(tmp_path / "a.zarr", coordinateTransformations=outer)
    image = open_image(tmp_path / "a.zarr")
    assert image.scale == pytest.approx((1.0, 1.0, 0.5, 0.5))
    assert image.translate == pytest.approx((0.0, 4.0, 7.0, 9.0))


def test_labels_come_with_their_image(tmp_path: Path) -> None:
    root = write_v04(tmp_path / "a.zarr")
    folder = root.create_group("labels")
    folder.attrs["labels"] = ["cells", "gone"]
    cells = folder.create_group("cells")
    cells.attrs["multiscales"] = [multiscale(version="0.4", axes=AXES[1:])]
    cells.attrs["image-label"] = {"colors": [{"label-value": 1, "rgba": [1, 2, 3, 4]}]}
    fill(cells, pixels=PIXELS[0])
    (labels,) = open_image(tmp_path / "a.zarr").labels
    assert (labels.name, labels.axes, len(labels.levels)) == ("cells", "ZYX", 2)
    assert labels.translate == pytest.approx((2.0, 3.0, 4.0))
    assert labels.metadata["image-label"]["colors"][0]["rgba"] == [1, 2, 3, 4]
    np.testing.assert_array_equal(labels.data.compute(), PIXELS[0])


def test_series_of_bioformats2raw(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=2, attributes={"bioformats2raw.layout": 3})
    root.create_group("OME")
    for number in (0, 1, 10, 2):
        group = root.create_group(str(number))
        group.attrs["multiscales"] = [multiscale(version="0.4", name=f"n{number}")]
        fill(group, pixels=PIXELS + number)
    assert [s.name for s in list_series(tmp_path / "a.zarr")] == ["0", "1", "2", "10"]
    image = open_image(tmp_path / "a.zarr", series=3)
    assert (image.name, int(image.data[0, 0, 0, 0].compute())) == ("a 10", PIXELS[0, 0, 0, 0] + 10)
    with pytest.raises(UnreadableFileError, match="no series 4"):
        open_image(tmp_path / "a.zarr", series=4)


def test_fields_of_a_plate_are_series(tmp_path: Path) -> None:
    plate = {"plate": {"wells": [{"path": "A/1"}, {"path": "B/2"}]}}
    root = zarr.create_group(tmp_path / "p.zarr", zarr_format=3, attributes={"ome": plate})
    for well in ("A/1", "B/2"):
        group = root.create_group(well, attributes={"ome": {"well": {"images": [{"path": "0"}, {"path": "1"}]}}})
        for field in "01":
            image = group.create_group(field, attributes={"ome": {"multiscales": [multiscale()]}})
            fill(image)
    assert [s.name for s in list_series(tmp_path / "p.zarr")] == ["A/1/0", "A/1/1", "B/2/0", "B/2/1"]
    assert open_image(tmp_path / "p.zarr", series=2).name == "p B/2/0"
    assert len(list_series(tmp_path / "p.zarr" / "A" / "1")) == 2


def test_axes_are_known_by_type_when_names_are_free(tmp_path: Path) -> None:
    axes = [
        {"name": "marker", "type": "channel"},
        {"name": "depth", "type": "space"},
        {"name": "row", "type": "space"},
        {"name": "column", "type": "space"},
    ]
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    root.attrs["multiscales"] = [multiscale(axes=axes)]
    fill(root)
    assert open_image(tmp_path / "a.zarr").axes == "CZYX"


def test_axes_as_plain_names(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    root.attrs["multiscales"] = [{"version": "0.3", "axes": ["c", "z", "y", "x"], "datasets": [{"path": "0"}]}]
    fill(root, levels=1)
    assert open_image(tmp_path / "a.zarr").axes == "CZYX"


def test_an_axis_of_an_unknown_kind_is_asked_for(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    root.attrs["multiscales"] = [multiscale(axes=[{"name": "angle", "type": "angle"}, *AXES[1:]])]
    fill(root)
    with pytest.raises(UnknownAxesError, match="Give --axes TZYX"):
        open_image(tmp_path / "a.zarr")
    assert open_image(tmp_path / "a.zarr", axes="RZYX").axes == "RZYX"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_plain_array_asks_beyond_two_dimensions(tmp_path: Path, zarr_format: Any) -> None:
    zarr.create_array(tmp_path / "p.zarr", shape=(5, 30, 40), dtype="u2", zarr_format=zarr_format)
    with pytest.raises(UnknownAxesError, match=r"Give --axes ZYX \(or TYX, CYX\)"):
        open_image(tmp_path / "p.zarr")
    assert open_image(tmp_path / "p.zarr", axes="TYX").shape == (5, 30, 40)
    zarr.create_array(tmp_path / "q.zarr", shape=(30, 40), dtype="u2", zarr_format=zarr_format)
    assert open_image(tmp_path / "q.zarr").axes == "YX"


def test_a_plain_array_with_named_dimensions_is_known(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "n.zarr", shape=(5, 30, 40), dtype="u2", dimension_names=("t", "y", "x"))
    assert open_image(tmp_path / "n.zarr").axes == "TYX"


def test_a_group_of_arrays_is_a_list_of_series(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "g.zarr")
    root.create_array("raw", shape=(30, 40), dtype="u2")
    root.create_array("mask", shape=(30, 40), dtype="u1")
    assert [(s.name, s.dtype) for s in list_series(tmp_path / "g.zarr")] == [("mask", np.uint8), ("raw", np.uint16)]


def test_an_array_that_is_called_labels_is_no_ome_labels(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "g.zarr")
    root.create_array("raw", shape=(30, 40), dtype="u2")
    root.create_array("labels", shape=(30, 40), dtype="u1")
    assert [s.name for s in list_series(tmp_path / "g.zarr")] == ["labels", "raw"]
    root = zarr.create_group(tmp_path / "h.zarr")
    root.create_array("raw", shape=(30, 40), dtype="u2")
    root.create_group("labels")
    assert open_image(tmp_path / "h.zarr").dtype == np.uint16


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("T", "y", "x"), "TYX"),
        (("time", "channel", "y", "x"), "TCYX"),
        (("position", "row", "column"), "RYX"),
        (("row", "column"), "YX"),
    ],
)
def test_dimensions_are_known_by_whole_names(tmp_path: Path, names: tuple[str, ...], axes: str) -> None:
    shape = (2, 3, 30, 40)[-len(names) :]
    zarr.create_array(tmp_path / "n.zarr", shape=shape, dtype="u2", dimension_names=names)
    assert open_image(tmp_path / "n.zarr").axes == axes


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("section", "y", "x"), "?YX"),
        (("section", "row", "column"), "?YX"),
        (("time", "stain", "row", "column"), "T?YX"),
        (("row", "column", "t"), "??T"),
        (("t", "time", "x"), "?YX"),
    ],
)
def test_names_that_we_do_not_know_are_not_guessed_by_their_first_letter(
    tmp_path: Path, names: tuple[str, ...], axes: str
) -> None:
    shape = (4, 5, 30, 40)[-len(names) :]
    zarr.create_array(tmp_path / "n.zarr", shape=shape, dtype="u2", dimension_names=names)
    assert list_series(tmp_path / "n.zarr")[0].axes == axes
    with pytest.raises(UnknownAxesError):
        open_image(tmp_path / "n.zarr")


def test_a_linked_store_has_one_series(tmp_path: Path) -> None:
    write_v05(tmp_path / "image.zarr")
    zarr.create_group(tmp_path / "link.zarr", attributes={"bioseg": {"image": "../image.zarr"}})
    assert open_image(tmp_path / "link.zarr").axes == "CZYX"
    assert len(list_series(tmp_path / "link.zarr")) == 1
    with pytest.raises(UnreadableFileError, match="no series 1"):
        open_image(tmp_path / "link.zarr", series=1)


def test_damaged_stores_are_told(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "empty.zarr")
    with pytest.raises(UnreadableFileError, match="is a zarr group without images"):
        open_image(tmp_path / "empty.zarr")
    write_v05(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "1" / "zarr.json").unlink()
    with pytest.raises(UnreadableFileError, match="its level '1' is missing"):
        open_image(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "zarr.json").write_text("{ not json")
    with pytest.raises(UnreadableFileError, match="cannot be read as Zarr"):
        open_image(tmp_path / "a.zarr")


def test_a_damaged_chunk_is_told_when_it_is_read(tmp_path: Path) -> None:
    write_v05(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "0" / "c" / "0" / "0" / "1" / "1").write_bytes(b"garbage")
    image = open_image(tmp_path / "a.zarr")
    with pytest.raises(UnreadableFileError, match=r"a\.zarr: a part of it cannot be decoded"):
        image.data.compute()


def test_a_huge_array_opens_without_reading(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "h.zarr", shape=(2000, 20000, 20000), chunks=(1, 2000, 2000), dtype="u2")
    image = open_image(tmp_path / "h.zarr", axes="ZYX")
    assert image.data.nbytes > 10**12
    assert image.data[3, :5, :6].compute().shape == (5, 6)
