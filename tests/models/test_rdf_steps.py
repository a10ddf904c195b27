"""Steps of BioImage.IO in the words of a card, against what they do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_bioseg.models.rdf_steps import Step, activation_of, normalisation_of

GREY = np.random.default_rng(0).uniform(20, 220, (16, 18)).astype(np.float32)
LOW, HIGH = np.percentile(GREY, (2, 98))


def steps(*said: dict[str, Any]) -> list[Step]:
    return [Step.model_validate(one) for one in said]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ([], GREY),
        ([{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}], GREY),
        ([{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}], (GREY - GREY.mean()) / GREY.std()),
        ([{"name": "zero_mean_unit_variance", "kwargs": {"mode": "fixed", "mean": [9], "std": 3}}], (GREY - 9) / 3),
        ([{"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 9, "std": 3}}], (GREY - 9) / 3),
        ([{"id": "scale_range", "kwargs": {"min_percentile": 2, "max_percentile": 98}}], (GREY - LOW) / (HIGH - LOW)),
        (
            [{"name": "scale_range", "kwargs": {"axes": "yx"}}, {"name": "clip", "kwargs": {"min": 0.25, "max": 0.5}}],
            np.clip((GREY - GREY.min()) / np.ptp(GREY), 0.25, 0.5),
        ),
        ([{"id": "scale_linear", "kwargs": {"gain": 0.5, "offset": -3}}], GREY * 0.5 - 3),
    ],
)
def test_a_card_says_the_same(said: list[dict[str, Any]], wanted: np.ndarray) -> None:
    np.testing.assert_allclose(normalisation_of(steps(*said), "YX").apply(GREY), wanted, rtol=1e-4, atol=1e-4)


def test_figures_of_a_volume_are_of_the_volume() -> None:
    (jointly,) = steps({"id": "scale_range", "kwargs": {"axes": ["channel", "z", "y", "x"]}})
    (apart,) = steps({"id": "scale_range", "kwargs": {"axes": ["y", "x"]}})
    assert normalisation_of([jointly], "ZYX").scope == "volume"
    assert normalisation_of([apart], "ZYX").scope == "plane"


@pytest.mark.parametrize(
    "said",
    [
        {"id": "binarize", "kwargs": {"threshold": 3}},
        {"id": "custom", "kwargs": {}},
        {"id": "scale_linear", "kwargs": {"gain": -1}},
        {"id": "scale_linear", "kwargs": {"gain": [1, 2]}},
        {"id": "clip", "kwargs": {"min_percentile": 3}},
        {"id": "scale_range", "kwargs": {"reference_tensor": "other"}},
        {"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}},
        {"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_dataset", "axes": "yx"}},
        {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["batch", "y", "x"]}},
        {"id": "scale_range", "kwargs": {"axes": ["x"]}},
    ],
)
def test_what_a_card_cannot_say_is_named(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"preprocessing.* cannot be said on a card"):
        normalisation_of(steps(said), "YX")


def test_two_scalings_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="'scale_range'"):
        normalisation_of(steps({"id": "scale_linear", "kwargs": {"gain": 2}}, {"id": "scale_range"}), "YX")


def test_what_comes_after_the_network() -> None:
    assert activation_of(steps({"id": "sigmoid"})) == "sigmoid"
    assert activation_of(steps({"id": "softmax", "kwargs": {"axis": "channel"}})) == "softmax"
    assert activation_of(steps({"id": "ensure_dtype", "kwargs": {"dtype": "float32"}})) is None
    for wrong in ([{"id": "softmax", "kwargs": {"axis": "x"}}], [{"id": "sigmoid"}, {"id": "binarize"}]):
        with pytest.raises(ValueError, match="postprocessing"):
            activation_of(steps(*wrong))
