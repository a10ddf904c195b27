"""What the window says of an image: three grades, and none where a card's profile knows nothing of results."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.core.image import image_from_array
from napari_bioseg.drift import OUTPUT, Known, Profile, make_profile
from napari_bioseg.inference.windows import Encoder, read_windows, run_to_end
from napari_bioseg.models import load_model
from napari_bioseg.models.model import Model
from napari_bioseg.plugin.drift_entries import sign, verdict, warning
from napari_bioseg.simulate import vesicle_scene
from napari_bioseg.workflows.drift_check import Drift, compare_with_training, describe_windows
from napari_bioseg.workflows.options import DriftOptions


@pytest.fixture(scope="module")
def frames():
    """Crowded frames of one microscope."""
    scene, _ = vesicle_scene(seed=777, shape=(6, 128, 128), scene="crowded")
    return np.asarray(scene)


@pytest.fixture(scope="module")
def profile(frames):
    model = load_model("cdv-yolo")
    encoder = Encoder(model, "cpu")
    windows = [run_to_end(read_windows(image_from_array(f, "YX"), model, encoder), encoder) for f in frames]
    return make_profile([Known(str(i), describe_windows(some)) for i, some in enumerate(windows)])


def _checked(pixels, profile) -> Drift:
    model = load_model("cdv-yolo")
    card = model.card.model_copy(update={"profile": profile.model_dump(mode="json")})
    options = DriftOptions(model="cdv-yolo", device="cpu")
    return compare_with_training(image_from_array(pixels, "YX", name="frame"), Model(card, model.network), options)


def test_an_image_that_is_only_coarser_in_grey_is_told_mildly(frames, profile):
    coarse = frames[2] // 64 * 64
    found = _checked(coarse, profile)
    assert found.worse is False
    assert found.as_dict()["worse"] is False
    assert (sign(found), warning(found)) == ("ⓘ", f"{found.causes[0].words}. What is found looks as usual.")
    assert verdict(found) == "ⓘ frame: unlike what cdv-yolo was trained on, though what it finds looks as usual."


def test_an_image_on_which_nothing_is_found_any_more_is_told_with_what_follows(frames, profile):
    noise = np.random.default_rng(0).normal(0, np.ptp(frames[2]), frames[2].shape)
    found = _checked(np.clip(frames[2] + noise, 0, 65535).astype(np.uint16), profile)
    assert found.worse
    assert (sign(found), warning(found)) == ("⚠", f"{found.causes[0].words}. The result is likely worse.")
    assert str(found).startswith("frame: unlike what cdv-yolo was trained on, and the result is likely worse: ")


def test_a_profile_of_an_earlier_version_says_nothing_of_the_result(frames, profile: Profile):
    limits = {name: limit for name, limit in profile.thresholds.items() if name not in OUTPUT}
    early = profile.model_copy(update={"version": 1, "output": (), "output_sd": (), "thresholds": limits})
    found = _checked(65535 - frames[2], early)
    assert found.worse is None
    assert (sign(found), warning(found)) == ("⚠", found.causes[0].words)
    assert verdict(found) == "⚠ frame: unlike what cdv-yolo was trained on."
