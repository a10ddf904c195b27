"""The manifest is valid and everything it names is there."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files

import pytest

pytestmark = pytest.mark.gui

FILE = files("napari_bioseg") / "napari.yaml"


@pytest.fixture
def manifest():
    from npe2 import PluginManifest

    return PluginManifest.from_file(str(FILE))


def test_npe2_validates_it(manifest):
    manifest.validate_imports()
    assert manifest.name == "napari-bioseg"


def test_commands_lead_somewhere(manifest):
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(import_module(module), name)), command.id


def test_it_is_what_napari_finds(manifest):
    from npe2 import PluginManager

    found = PluginManager()
    found.discover()
    assert "napari-bioseg" in found, "the package is not installed with its entry point"
    assert found.get_manifest("napari-bioseg").contributions == manifest.contributions


def test_names_that_are_offered_to_the_reader(manifest, tmp_path):
    from npe2 import PluginManager

    plugins = PluginManager()
    plugins.register(manifest)
    names = ["a.tif", "a.ome.tif", "A.TIFF", "a.png", "a.nii.gz", "a.nii", "a.ome.zarr"]
    assert all(list(plugins.iter_compatible_readers(str(tmp_path / n))) for n in names)
    assert not list(plugins.iter_compatible_readers(str(tmp_path / "a.txt")))
    assert list(plugins.iter_compatible_readers(str(tmp_path)))


@pytest.mark.parametrize("ending", [".tif", ".ome.tif", ".zarr", ".ome.zarr"])
def test_labels_have_a_writer_for_each_ending(manifest, ending):
    from npe2 import PluginManager

    plugins = PluginManager()
    plugins.register(manifest)
    writer, path = plugins.get_writer(f"/a/labels{ending}", ["labels"])
    assert writer is not None
    assert path.endswith(ending)
    assert plugins.get_writer("/a/x.tif", ["image"])[0] is None
