"""Labels saved from napari's dialog come back where they were."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg import open_image
from napari_bioseg.core.errors import UnwritableFileError
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
