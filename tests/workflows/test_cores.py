"""A network that tells cores: trained, used, kept and given away."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from napari_bioseg import evaluate, open_image, segment
from napari_bioseg.core import RecipeError
from napari_bioseg.models import load_model
from napari_bioseg.models.bioimageio import export_bioimageio
from napari_bioseg.training.pairs import load_samples
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.training.training_set import freeze
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.segmentation import save
from napari_bioseg.workflows.training import train
from napari_bioseg.workflows.uncertainty import predict_augmented

MakeRecipe = Callable[..., Recipe]
WITH_CORES = {"name": "unet", "arguments": {"dims": 2, "widths": [2, 4], "out_channels": 2}}


@pytest.fixture
def model(make_recipe: MakeRecipe, tmp_path: Path) -> Path:
    return train(make_recipe(architecture=WITH_CORES, output={"cores": 0.5}), tmp_path / "run")


def test_its_labels_are_of_classes_alone(model: Path, tmp_path: Path) -> None:
    image = open_image(tmp_path / "c.tif")
    found = segment(image, model=str(model), threshold=0)
    assert found.prediction.probabilities.shape == (2, 32, 32)
    assert (np.asarray(found.labels) == 1).all()
    paths = save(found, tmp_path / "out.ome.zarr", image, probabilities=True)
    assert open_image(paths[1]).channel_names == ("square", "core")
    (row,) = evaluate(
        [tmp_path / "c.tif"], [tmp_path / "c-label.tif"], EvaluateOptions(model=str(model), metrics=("dice",))
    )
    assert {s.metric: s.value for s in load_model(model).card.scores} == row.scores
    assert "instances parted between cores of 0.5" in (model / "README.md").read_text(encoding="utf-8")


def test_a_package_names_its_channels(model: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(export_bioimageio(model, tmp_path / "p.zip")) as package:
        (output,) = yaml.safe_load(package.read("rdf.yaml"))["outputs"]
    names = next(axis["channel_names"] for axis in output["axes"] if axis["type"] == "channel")
    assert names == ["square", "core"]


def test_it_is_not_averaged_with_one_that_tells_none(make_recipe: MakeRecipe, model: Path, tmp_path: Path) -> None:
    other = load_model(train(make_recipe(), tmp_path / "other"))
    with pytest.raises(RecipeError, match="other classes"):
        predict_augmented(open_image(tmp_path / "c.tif"), [load_model(model), other])


def test_the_network_needs_a_channel_more(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="gives 1 channels; 1 classes with sigmoid need 2"):
        train(make_recipe(output={"cores": 0.5}), tmp_path / "run")


def test_what_was_corrected_by_hand_has_cores_too(
    make_recipe: MakeRecipe, make_project: Callable[..., Path], tmp_path: Path
) -> None:
    truth = np.zeros((4, 32, 32), np.uint8)
    truth[:, 4:25, 4:25] = 1
    project = make_project("stack", truth * 100, truth, [0, 3])
    output, pairs = {"cores": 0.5}, [{"project": str(project), "use": "train"}]
    recipe = make_recipe(architecture=WITH_CORES, output=output, pairs=pairs)
    (tmp_path / "run").mkdir()
    (sample,) = load_samples(freeze(recipe, tmp_path / "run"), ("train",))
    assert sample.labels[0, 14, [0, 4, 7, 8, 20, 21]].tolist() == [0, 1, 1, 2, 2, 1]
