"""Labels saved from napari's dialog come back where they were."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_bioseg import open_image
from napari_bioseg.core import image_from_array
from napari_bioseg.core.errors import UnwritableFileError
from napari_bioseg.io import write_ome_zarr
from napari_bioseg.plugin.reader import read_layers
from napari_bioseg.plugin.writer import write_labels

LABELS = np.arange(24, dtype=np.uint32).reshape(2, 3, 4) * 100_000


def attributes(**changes):
    return {
        "name": "stack · tiny2d",
        "scale": (2.0, 500.0, 250.0),
        "translate": (0.0, 1000.0, 0.0),
        "units": ("micrometer", "nanometer", "nanometer"),
        "axis_labels": ("z", "y", "x"),
        "metadata": {"bioseg": {"provenance": {"model": "tiny2d"}, "edited": True}},
        **changes,
    }


@pytest.mark.parametrize("ending", [".tif", ".ome.tif", ".ome.zarr"])
def test_round_trip(tmp_path, ending):
    out = tmp_path / f"labels{ending}"
    assert write_labels(str(out), LABELS, attributes()) == [str(out)]
    image = open_image(out)
    assert np.array_equal(np.asarray(image.data), LABELS)
    assert (image.dtype, image.axes) == (np.uint32, "ZYX")
    assert image.pixel_size() == pytest.approx((2.0, 0.5, 0.25))
    assert image.translate == pytest.approx((0.0, 1.0, 0.0))
    assert image.metadata["provenance"] == {"model": "tiny2d", "edited": True}


def test_a_layer_without_names_or_units_is_written_all_the_same(tmp_path):
    out = tmp_path / "labels.ome.tif"
    write_labels(str(out), LABELS, attributes(axis_labels=("-3", "-2", "-1"), units=None, metadata={}))
    assert open_image(out).axes == "ZYX"


def test_of_a_pyramid_the_full_resolution_is_written(tmp_path):
    out = tmp_path / "labels.ome.tif"
    write_labels(str(out), [LABELS, LABELS[:, ::2, ::2]], attributes())
    assert open_image(out).shape == LABELS.shape


def test_negative_labels_are_refused(tmp_path):
    with pytest.raises(UnwritableFileError):
        write_labels(str(tmp_path / "a.ome.tif"), LABELS.astype(np.int32) - 1, attributes())
    assert not list(tmp_path.iterdir())


def test_an_image_that_is_there_keeps_its_pixels_and_gets_the_labels(tmp_path):
    out = tmp_path / "img.ome.zarr"
    pixels = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    write_ome_zarr(out, image_from_array(pixels, "ZYX"), {}, provenance={})
    write_labels(str(out), LABELS, attributes())
    image = open_image(out)
    assert np.array_equal(image.data, pixels)
    assert [label.name for label in image.labels] == ["tiny2d"]
    assert np.array_equal(image.labels[0].data, LABELS)
    with pytest.raises(UnwritableFileError, match="exists already"):
        write_labels(str(out), LABELS * 0, attributes())
    assert np.array_equal(open_image(out).labels[0].data, LABELS)


def test_the_stack_that_labels_were_made_from_is_not_replaced(tmp_path):
    out = tmp_path / "stack.tif"
    write_labels(str(out), LABELS, attributes())
    result = SimpleNamespace(request=SimpleNamespace(image=open_image(out)))
    with pytest.raises(UnwritableFileError, match="is the image itself"):
        write_labels(str(out), LABELS * 0, attributes(metadata={"bioseg": {"result": result}}))
    assert np.array_equal(open_image(out).data, LABELS)


def own(**entries):
    return attributes(metadata={"bioseg": entries})


@pytest.mark.parametrize("absolute", [True, False])
def test_labels_opened_from_a_file_do_not_replace_the_image_they_tell_of(tmp_path, absolute):
    stack, labels = tmp_path / "stack.tif", tmp_path / "labels.tif"
    write_labels(str(stack), LABELS, attributes())
    made = {"source": str(stack) if absolute else "stack.tif"}
    write_labels(str(labels), LABELS, own(provenance=made))
    converted = own(image=open_image(labels), channel=None)  # as napari's "Convert to Labels" leaves it
    with pytest.raises(UnwritableFileError, match="is the image itself"):
        write_labels(str(stack), LABELS * 0, converted)
    assert np.array_equal(open_image(stack).data, LABELS)
    write_labels(str(labels), LABELS + 1, converted)
    assert np.array_equal(open_image(labels).data, LABELS + 1)
    assert open_image(labels).metadata["provenance"] == made


@pytest.mark.parametrize("ending", [".tif", ".ome.zarr"])
def test_labels_that_are_still_read_from_a_file_do_not_replace_it(tmp_path, ending):
    out = tmp_path / f"labels{ending}"
    write_labels(str(out), LABELS, attributes())
    image = open_image(out)
    with pytest.raises(UnwritableFileError, match="is the image itself"):
        write_labels(str(out), image.data, own(image=image, channel=None))
    assert np.array_equal(open_image(out).data, LABELS)


def test_labels_of_an_image_go_back_to_their_place_and_to_no_other(tmp_path):
    out = tmp_path / "img.ome.zarr"
    write_ome_zarr(out, image_from_array(LABELS, "ZYX"), {}, provenance={})
    write_labels(str(out), LABELS, attributes(name="cells"))
    write_labels(str(out), LABELS, attributes(name="nuclei"))
    data, of_layer, _ = next(layer for layer in read_layers(out) if layer[1]["name"].endswith("· cells"))
    write_labels(str(out), data + 1, of_layer)
    assert [np.asarray(label.data).min() for label in open_image(out).labels] == [0, 1]  # nuclei, then cells
    with pytest.raises(UnwritableFileError, match="exists already"):
        write_labels(str(out), data, {**of_layer, "name": "nuclei"})
    with pytest.raises(UnwritableFileError, match="exists already"):
        write_labels(str(out), open_image(out).labels[1].data, of_layer)


def test_classes_keep_their_names_and_colours(tmp_path):
    from types import SimpleNamespace

    from napari_bioseg.core.prediction import ClassInfo

    out = tmp_path / "labels.ome.zarr"
    prediction = SimpleNamespace(classes=(ClassInfo(value=1, name="cell", color="#00ff7f"),))
    write_labels(str(out), LABELS, attributes(metadata={"bioseg": {"prediction": prediction}}))
    entry = next(e for e in open_image(out).metadata["image-label"]["colors"] if e["label-value"] == 1)
    assert entry["rgba"] == [0, 255, 127, 255]
