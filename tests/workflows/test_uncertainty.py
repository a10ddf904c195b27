"""Predictions averaged over turned images and over models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from napari_bioseg.core import Job, RecipeError, image_from_array
from napari_bioseg.core.image import Image
from napari_bioseg.core.job import Progress
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.inference.symmetry import symmetries
from napari_bioseg.models import load_model
from napari_bioseg.models.card import ArchitectureSpec, Card, InputSpec
from napari_bioseg.models.model import Model
from napari_bioseg.models.network import Network
from napari_bioseg.postprocess.uncertainty import FULL, entropy
from napari_bioseg.workflows.uncertainty import predict_augmented

FIXED = {"method": "fixed", "low": 0, "high": 255}


class Ring(Network):
    """A convolution that is the same however the image is turned, or, `lopsided`, is not."""

    def __init__(self, dims: int, lopsided: bool = False) -> None:
        super().__init__()
        self._dims = dims
        self.convolution = (torch.nn.Conv2d, torch.nn.Conv3d)[dims - 2](1, 1, 3, padding=1)
        torch.nn.init.constant_(self.convolution.weight, 1.0)
        torch.nn.init.constant_(self.convolution.bias, -12.0 if dims == 2 else -13.5)
        self.convolution.weight.data[(0, 0, *(1,) * dims)] = 16.0 if dims == 2 else 1.0
        if lopsided:
            self.convolution.weight.data[..., 2] += 2.0
            self.convolution.weight.data[..., 0] -= 2.0

    @property
    def stride(self) -> tuple[int, ...]:
        return (1,) * self._dims

    @property
    def halo(self) -> tuple[int, ...]:
        return (1,) * self._dims

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.convolution(x)
        return y


def model_of(network: Network, **card: object) -> Model:
    axes = "YX" if len(network.stride) == 2 else "ZYX"
    values = {
        "name": "ring", "title": "-", "summary": "-", "architecture": ArchitectureSpec(name="none"),
        "input": InputSpec(axes=axes, normalisation=FIXED), "classes": ({"value": 1, "name": "thing"},),
        "licence": "-", "data": "-", "split": "-", **card,
    }  # fmt: skip
    return Model(Card(**values), network.eval())


def noise(*shape: int, axes: str = "ZYX") -> Image:
    data = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    return image_from_array(data, axes, pixel_size={"Z": 2.0, "Y": 0.5, "X": 0.25})


@pytest.mark.parametrize("dims", [2, 3])
def test_a_network_that_turns_with_the_image_never_disagrees(dims: int) -> None:
    image, model = noise(4, 21, 30), model_of(Ring(dims))
    mean, disagreement = predict_augmented(image, model, PredictOptions(tile=16))
    alone = np.asarray(predict(image, model).probabilities).astype(np.float32)
    assert alone.std() > 0.1
    np.testing.assert_allclose(np.asarray(mean.probabilities), alone, atol=2e-3)
    assert disagreement.means.max() < 1e-3
    assert mean.provenance["passes"] == (8 if dims == 2 else 16)
    lopsided = predict_augmented(image, model_of(Ring(dims, lopsided=True)))[1]
    assert lopsided.means.min() > 0.02


@pytest.mark.usefixtures("tiny_zoo")
@pytest.mark.parametrize("name", ["tiny2d", "tiny3d"])
def test_it_is_the_mean_over_the_turned_images_for_any_tile(name: str) -> None:
    image, model = noise(4, 21, 30), load_model(name)
    turned = [
        s.undo(np.asarray(predict(s.apply(image), model).probabilities).astype(np.float32), "ZYX")
        for s in symmetries(model.axes)
    ]
    expected = np.mean(turned, axis=0)
    information = entropy(expected, "sigmoid") - np.mean([entropy(p, "sigmoid") for p in turned], axis=0)
    for tile in (None, 16):
        mean, disagreement = predict_augmented(image, model, PredictOptions(tile=tile))
        np.testing.assert_allclose(np.asarray(mean.probabilities), expected, atol=2e-3)
        np.testing.assert_allclose(np.asarray(disagreement.values) / FULL, information, atol=0.01)
    assert np.std(turned, axis=0).max() > 0.05


@pytest.mark.usefixtures("tiny_zoo")
def test_a_box_is_the_part_of_the_whole(tmp_path: Path) -> None:
    image, model, box = noise(3, 21, 30), load_model("tiny2d"), (slice(1, 3), slice(2, 15), slice(9, 30))
    whole, _ = predict_augmented(image, model)
    part, disagreement = predict_augmented(image, model, box=box, store=tmp_path / "mean.zarr")
    assert part.shape == disagreement.values.shape == (2, 13, 21)
    assert part.translate == (2.0, 1.0, 2.25)
    np.testing.assert_allclose(np.asarray(part.probabilities), np.asarray(whole.probabilities)[(..., *box)], atol=2e-3)
    assert (np.asarray(zarr.open_array(tmp_path / "mean.zarr")) == np.asarray(part.probabilities)).all()


def test_several_models_are_averaged_alone_and_turned() -> None:
    image, models = noise(2, 12, 14), [model_of(Ring(2)), model_of(Ring(2, lopsided=True))]
    alone = [np.asarray(predict(image, m).probabilities).astype(np.float32) for m in models]
    mean, disagreement = predict_augmented(image, models, passes=1)
    np.testing.assert_allclose(np.asarray(mean.probabilities), np.mean(alone, axis=0), atol=1e-3)
    information = entropy(np.mean(alone, axis=0), "sigmoid") - np.mean([entropy(p, "sigmoid") for p in alone], axis=0)
    assert information.mean() > 1e-3
    assert disagreement.plane_means.mean() == pytest.approx(information.mean(), rel=0.02)
    assert mean.provenance["passes"] == 2
    assert predict_augmented(image, models)[0].provenance["passes"] == 16


def test_models_of_other_classes_are_refused() -> None:
    other = model_of(Ring(2), name="other", classes=({"value": 2, "name": "else"},))
    with pytest.raises(RecipeError, match="other: gives other classes than ring"):
        predict_augmented(noise(2, 12, 14), [model_of(Ring(2)), other])
    with pytest.raises(RecipeError, match="finds boxes"):
        predict_augmented(noise(2, 12, 14), model_of(Ring(2), task="detection"))


@pytest.mark.parametrize("stop", [1, 2, 5])
def test_what_was_finished_before_a_stop_is_kept(stop: int) -> None:
    """Passes have one tile a plane, of three planes: stopped in the first pass, after it, and in the second."""
    steps = 0

    def listen(progress: Progress) -> None:
        nonlocal steps
        steps += progress.done > 0
        if steps == stop + 1:
            job.cancel()

    job, image, model = Job(listen), noise(3, 12, 14), model_of(Ring(2, lopsided=True))
    mean, _ = predict_augmented(image, model, PredictOptions(workers=1), job=job)
    alone = np.asarray(predict(image, model).probabilities)
    assert not mean.done
    assert mean.provenance["passes"] == 1
    found = np.asarray(mean.probabilities)
    planes = [bool((found[0, z] == alone[0, z]).all()) for z in range(3)]
    assert all(planes) if stop > 2 else planes[0]


def test_the_prediction_lies_where_the_image_lies() -> None:
    image = replace(noise(2, 12, 14), translate=(1.0, 5.0, 7.0))
    mean, _ = predict_augmented(image, model_of(Ring(2)))
    assert (mean.axes, mean.scale, mean.translate) == ("ZYX", (2.0, 0.5, 0.25), (1.0, 5.0, 7.0))
    assert mean.done
