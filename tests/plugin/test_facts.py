"""What the panel says of pixel sizes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.core.image import image_from_array
from napari_bioseg.models import Card
from napari_bioseg.plugin.facts import (
    describe_card,
    describe_card_briefly,
    describe_image,
    describe_lineage,
    describe_resampling,
)


def a_card(pixel_size, **more):
    return Card(
        name="m", title="M", summary="For tests", architecture={"name": "unet"}, classes=(), licence="MIT", data="d",
        split="s", input={"axes": "YX", "pixel_size": pixel_size}, **more,
    )  # fmt: skip


def an_image(**pixel_size):
    return image_from_array(np.zeros((8, 9), "u1"), "YX", pixel_size=pixel_size)


@pytest.mark.parametrize(
    ("wanted", "image", "resample", "says"),
    [
        ({}, an_image(Y=1, X=1), True, "any pixel size"),
        ({"Y": 1.0, "X": 1.0}, an_image(), True, "unknown"),
        ({"Y": 1.0, "X": 1.0}, an_image(Y=1.05, X=1), True, "fits"),
        ({"Y": 1.0, "X": 1.0}, an_image(Y=2, X=2), True, "Resampled to the model's 1 × 1 µm"),
        ({"Y": 1.0, "X": 1.0}, an_image(Y=2, X=2), False, "off"),
        ({"Y": 1.0, "X": 1.0}, an_image(Y=9, X=9), True, "Pixels of 9 x 9 µm are too far"),
    ],
)
def test_resampling(wanted, image, resample, says):
    assert says in describe_resampling(a_card(wanted), image, resample)


def test_pixels_up_to_the_coarsest_fit():
    card = a_card({"Y": 1.0, "X": 1.0})
    card = card.model_copy(update={"input": card.input.model_copy(update={"coarsest": {"Y": 2.5}})})
    assert describe_resampling(card, an_image(Y=2, X=1), True) == "Pixel size fits the model's (1–2.5 × 1 µm)."
    assert describe_resampling(card, an_image(Y=3, X=1), True).startswith("Resampled to the model's 1–2.5 × 1 µm")


def test_image():
    assert describe_image(an_image(Y=0.5, X=0.25)) == "Y 8 × X 9, uint8; 0.5 × 0.25 µm (YX)"
    assert describe_image(an_image()).endswith("pixel size unknown")


def test_card():
    score = {"metric": "Dice", "value": 0.8, "on": "held-out", "n": 2}
    text = describe_card(a_card({}, not_for="cells", scores=(score,)))
    assert "For tests" in text
    assert "Not for:</b> cells" in text
    assert "Dice 0.800 on held-out" in text
    assert "MIT" in text
    assert "not measured" in describe_card(a_card({}))
    brief = describe_card_briefly(
        a_card({}, scores=(score,)).model_copy(update={"licence": "MIT; but the data are not"})
    )
    assert "Dice 0.800" in brief
    assert "held-out" not in brief
    assert brief.endswith("MIT …")


def test_lineage():
    lineage = {"parent": "m", "parent_version": "1", "run": "r", "comparison": {"verdict": "better by <0.1"}}
    text = describe_lineage(a_card({}, lineage=lineage))
    assert text == "<b>Made from:</b> m 1<br><b>In the run:</b> r<br><b>Compared with that:</b> better by &lt;0.1"
    assert describe_lineage(a_card({})) == ""


def test_a_card_from_anywhere_brings_no_markup_of_its_own():
    card = a_card({}).model_copy(update={"summary": "<img src='x'>", "licence": "a<b"})
    for text in (describe_card(card), describe_card_briefly(card)):
        assert "<img" not in text
        assert "a&lt;b" in text
