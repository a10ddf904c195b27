"""What the window says of an image: three grades, and none where a card's profile knows nothing of results."""

from __future__ import annotations

import pytest

from napari_bioseg.core.image import image_from_array
from napari_bioseg.drift import OUTPUT, Known, Profile, make_profile
from napari_bioseg.inference.windows import Encoder, read_windows
from napari_bioseg.models import load_model
from napari_bioseg.models.model import Model
from napari_bioseg.plugin.drift_entries import sign, verdict, warning
from napari_bioseg.simulate import em_membranes
from napari_bioseg.workflows.drift_check import Drift, compare_with_training, describe_windows
from napari_bioseg.workflows.options import DriftOptions


@pytest.fixture(scope="module")
def planes():
    stack, _ = em_membranes((6, 128, 128), seed=1)
    return stack


@pytest.fixture(scope="module")
def profile(planes):
    model = load_model("membranes-unet2d")
    encoder = Encoder(model, "cpu")
    windows = [read_windows(image_from_array(p, "YX"), model, encoder, to_end=True) for p in planes]
    return make_profile([Known(str(i), describe_windows(some)) for i, some in enumerate(windows)])


def _checked(pixels, profile) -> Drift:
    model = load_model("membranes-unet2d")
    card = model.card.model_copy(update={"profile": profile.model_dump(mode="json")})
    options = DriftOptions(model="membranes-unet2d", device="cpu")
    return compare_with_training(image_from_array(pixels, "YX", name="plane"), Model(card, model.network), options)


def test_an_image_that_is_only_coarser_in_grey_is_told_mildly(planes, profile):
    found = _checked(planes[2] // 32 * 32, profile)
    assert found.worse is False
    assert found.as_dict()["worse"] is False
    assert (sign(found), warning(found)) == ("ℹ", f"{found.causes[0].words}. What is found looks as usual.")
    assert (
        verdict(found) == "ℹ plane: unlike what membranes-unet2d was trained on, though what it finds looks as usual."
    )


def test_an_image_with_light_and_dark_exchanged_is_told_with_what_follows(planes, profile):
    found = _checked(255 - planes[2], profile)
    assert found.worse
    assert (sign(found), warning(found)) == ("⚠", f"{found.causes[0].words}. The result is likely worse.")
    assert str(found).startswith("plane: unlike what membranes-unet2d was trained on, and the result is likely worse: ")


def test_a_profile_of_an_earlier_version_says_nothing_of_the_result(planes, profile: Profile):
    limits = {name: limit for name, limit in profile.thresholds.items() if name not in OUTPUT}
    early = profile.model_copy(update={"version": 1, "output": (), "output_sd": (), "thresholds": limits})
    found = _checked(255 - planes[2], early)
    assert found.worse is None
    assert (sign(found), warning(found)) == ("⚠", found.causes[0].words)
    assert verdict(found) == "⚠ plane: unlike what membranes-unet2d was trained on."
