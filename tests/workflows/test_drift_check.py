"""The shipped detector on simulated frames: like what it was trained on, and changed on purpose."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from napari_bioseg import check_drift
from napari_bioseg.core.errors import IncompatibleImageError, RecipeError
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.models import load_model
from napari_bioseg.models.model import Model
from napari_bioseg.simulate import sample, vesicle_scene
from napari_bioseg.workflows.drift_check import compare_with_training, profile_of
from napari_bioseg.workflows.options import DriftOptions


@pytest.fixture(scope="module")
def frame() -> npt.NDArray[np.uint16]:
    scene, _ = vesicle_scene(seed=777, shape=(1, 256, 256), scene="moderate")
    return np.asarray(scene[0])


def _image(values: npt.NDArray[np.uint16]) -> Image:
    return image_from_array(values, "YX", name="frame")


def test_a_frame_like_those_trained_on_is_not_warned_of(frame: npt.NDArray[np.uint16]) -> None:
    found = check_drift(_image(frame), model="cdv-yolo")
    assert not found.warned
    assert found.score < 1
    assert str(found) == "frame: like what cdv-yolo was trained on"
    assert found.as_dict()["causes"] == []


@pytest.mark.parametrize(("name", "model"), [("membranes", "membranes-unet2d"), ("vessels", "vessels-unet3d")])
def test_the_sample_is_like_what_its_model_was_trained_on(name: str, model: str) -> None:
    assert not check_drift(sample(name), model=model).warned


def test_a_blurred_frame_is_warned_of_with_the_cause(frame: npt.NDArray[np.uint16]) -> None:
    found = check_drift(_image(ndimage.gaussian_filter(frame, 2.0)), model="cdv-yolo")
    assert found.warned
    assert found.score == max(found.ratios.values()) > 1
    assert "out of focus" in str(found)
    assert found.as_dict()["causes"][0]["words"] in str(found)


def test_an_inverted_frame_is_known_as_one(frame: npt.NDArray[np.uint16]) -> None:
    found = check_drift(_image(frame.max() + frame.min() - frame), model="cdv-yolo")
    assert found.causes[0].name == "inverted"


def test_the_most_foreign_plane_comes_first(frame: npt.NDArray[np.uint16]) -> None:
    stack = np.stack([frame, frame, ndimage.gaussian_filter(frame, 3.0), frame])
    found = check_drift(image_from_array(stack, "ZYX"), model="cdv-yolo")
    assert found.planes[0] == (2,)
    assert set(found.planes) == {(0,), (1,), (2,), (3,)}


def test_the_region_asked_for_is_judged(frame: npt.NDArray[np.uint16]) -> None:
    both = np.stack([frame, ndimage.gaussian_filter(frame, 3.0)])
    image = image_from_array(both, "TYX")
    assert not check_drift(image, model="cdv-yolo", region="T=0").warned
    assert check_drift(image, model="cdv-yolo", region="T=1").warned


def test_a_model_without_a_profile_and_an_image_that_it_cannot_take_are_refused(frame: npt.NDArray[np.uint16]) -> None:
    model = load_model("cdv-yolo")
    bare = Model(model.card.model_copy(update={"profile": {}}), model.network)
    with pytest.raises(RecipeError, match="no reference profile"):
        compare_with_training(_image(frame), bare, DriftOptions(model="cdv-yolo"))
    with pytest.raises(IncompatibleImageError, match="3-D volume"):
        check_drift(_image(frame), model="vessels-unet3d")
    with pytest.raises(RecipeError, match="modle"):
        check_drift(_image(frame), model="cdv-yolo", modle="cdv-yolo")


def test_a_profile_of_a_later_version_is_as_good_as_none() -> None:
    card = load_model("cdv-yolo").card
    assert profile_of(card) is not None
    later = card.model_copy(update={"profile": {**card.profile, "version": 99}})
    assert profile_of(later) is None
