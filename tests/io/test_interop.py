"""What we write, read by others."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_bioseg.core import image_from_array
from napari_bioseg.io import LabelsToWrite, add_labels, write_ome_zarr

CLASSES = {1: ("cell", (255, 0, 0, 255)), 2: ("vessel", (0, 255, 0, 255))}


@pytest.fixture(params=["YX", "CZYX", "TRYX"])
def axes(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make_store(tmp_path: Path, axes: str, version: str) -> Path:
    shape = {"YX": (600, 300), "CZYX": (2, 5, 600, 300), "TRYX": (2, 3, 600, 300)}[axes]
    pixels = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    image = image_from_array(pixels, axes, pixel_size={"Z": 2.0, "Y": 0.5, "X": 0.25})
    kept = [i for i, a in enumerate(axes) if a != "C"]
    labels = LabelsToWrite(
        (pixels[0] if axes == "CZYX" else pixels) % 3,
        axes.replace("C", ""),
        tuple(image.scale[i] for i in kept),
        tuple(image.units[i] for i in kept),
        tuple(image.translate[i] for i in kept),
        CLASSES,
    )
    path = tmp_path / "a.ome.zarr"
    instances = replace(labels, classes={})
    if version == "0.5":
        write_ome_zarr(path, image, {"classes": labels}, provenance={"model": "m"})
        add_labels(path, "instances", instances, provenance={})
    else:
        both = {"classes": labels, "instances": instances}
        write_ome_zarr(path, image, both, provenance={"model": "m"}, version=version)
    return path


@pytest.fixture
def store(tmp_path: Path, axes: str) -> Path:
    return make_store(tmp_path, axes, "0.5")


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_ome_zarr_models_validates_image_and_labels(tmp_path: Path, axes: str, version: str) -> None:
    models = importlib.import_module(f"ome_zarr_models.v{version.replace('.', '')}")

    def metadata(model: Any) -> Any:
        return model.attributes.ome if version == "0.5" else model.attributes

    root = zarr.open_group(make_store(tmp_path, axes, version), mode="r")
    image = models.Image.from_zarr(root)
    assert image.labels is not None
    assert metadata(image.labels).labels == ["classes", "instances"]
    models.Labels.from_zarr(root["labels"])
    colors = {}
    for name in ("classes", "instances"):
        label = models.ImageLabel.from_zarr(root["labels"][name])
        colors[name] = [color.label_value for color in metadata(label).image_label.colors]
    assert colors == {"classes": [0, 1, 2], "instances": []}


@pytest.mark.gui
def test_napari_ome_zarr_opens_all_layers(store: Path) -> None:
    from napari_ome_zarr import napari_get_reader

    reader = napari_get_reader(str(store))
    layers = reader(str(store))
    kinds = [kind for _, _, kind in layers]
    assert kinds.count("labels") == 2
    assert kinds.count("image") >= 1
    root = zarr.open_group(store, mode="r")
    for data, options, kind in layers:
        assert len(data) == 3
        assert tuple(options["scale"][-2:]) == (0.5, 0.25)
        assert tuple(options["units"][-2:]) == ("micrometer", "micrometer")
        if kind == "labels":
            np.testing.assert_array_equal(np.asarray(data[0]), root["labels/classes/0"][:])
