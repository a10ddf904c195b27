"""When it is told that a model was made for another kind of image."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_bioseg.models import find_model, read_card
from napari_bioseg.plugin.kind_look import misfit, proposed_kind
from napari_bioseg.workflows.identification import Identity

CARD = read_card(find_model("membranes-unet2d"))


def identity(kind, p):
    """As sure of a kind as `p`, and of what the model is for with the rest."""
    rest = {"EM": 1 - p} if kind != "EM" else {"other": 1 - p}
    return Identity("image", kind, {kind: p, **rest}, ())


def drift(ratio):
    return SimpleNamespace(ratios={"features": ratio})


@pytest.mark.parametrize(
    ("kind", "p", "ratio", "told"),
    [
        ("EM", 0.99, 0.5, False),
        ("EM", 0.99, 3.0, False),  # the drift tells that by itself
        ("other", 0.98, 0.5, True),
        ("other", 0.98, None, True),
        ("other", 0.7, 3.0, True),
        ("other", 0.7, 0.5, False),
        ("other", 0.7, None, False),
        ("vessels", 0.95, 0.5, True),
    ],
)
def test_both_opinions_count(kind, p, ratio, told):
    assert bool(misfit(identity(kind, p), CARD, None if ratio is None else drift(ratio))) == told


def test_the_words():
    assert misfit(identity("other", 0.98), CARD, drift(2.0)) == (
        "this looks like a photograph or another kind of image (98 %): membranes-unet2d was made for EM; "
        "it finds the image strange, too"
    )
    assert "yet by its own features" in misfit(identity("vessels", 0.98), CARD, drift(0.5))
    assert misfit(identity("other", 0.98), CARD.model_copy(update={"kind": ""}), None) == ""


def test_a_model_is_proposed_only_where_the_kind_is_clear():
    assert [proposed_kind(identity("vessels", p)) for p in (0.95, 0.4)] == ["vessels", ""]
    assert proposed_kind(None) == ""
