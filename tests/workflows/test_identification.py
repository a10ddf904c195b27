"""What kind of image it is: by the shipped model, and how such a model is made, calibrated and scored."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bioseg.core.errors import IncompatibleImageError
from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.models import list_models, load_model, read_card
from napari_bioseg.models.registry import build_network
from napari_bioseg.runs import Run
from napari_bioseg.simulate import foreign_pictures, sample, sample_vesicles
from napari_bioseg.workflows import identify, train
from napari_bioseg.workflows.kind_scores import Judged, cooled, fit_temperature, judge
from napari_bioseg.workflows.readme import readme

KINDS = {
    "task": "classification",
    "architecture": {"name": "kind_cnn", "arguments": {"out_channels": 2, "widths": [4, 4]}},
    "output": {"activation": "softmax"},
    "classes": [{"value": 1, "name": "squares"}, {"value": 2, "name": "other"}],
    "losses": {"bce": 1.0},
    "select_on": "log_likelihood",
    "metrics": ["auroc", "accuracy", "calibration_error"],
    "draw": "kinds",
    "foreground_share": 0,
}


@pytest.mark.parametrize(
    ("name", "kind", "models"),
    [
        ("membranes", "EM", ("em-multiclass-unet2d", "membranes-ensemble", "membranes-unet2d")),
        ("cells", "phase contrast", ("cells-swinunet",)),
        ("vessels", "vessels", ("vessels-unet3d",)),
        ("vesicles", "spots", ("cdv-yolo",)),
        ("pictures", "other", ()),
    ],
)
def test_the_shipped_model_knows_the_samples(name, kind, models):
    if name == "pictures":
        image = image_from_array(foreign_pictures((4, 256, 256), 7)[0], "TYX")
    else:
        image = sample_vesicles()[0] if name == "vesicles" else sample(name)
    found = identify(image)
    assert found.kind == kind
    assert found.models == models
    assert found.confidence == max(found.probabilities.values()) > 0.5


def test_kinds_of_models_are_kinds_that_it_tells():
    kinds = {c.name for c in load_model("image-gate").card.classes}
    assert {card.kind for card in list_models()} - {""} == kinds - {"other"}


def test_an_empty_image_is_told():
    with pytest.raises(IncompatibleImageError, match="empty"):
        identify(image_from_array(np.zeros((0, 8), np.uint8), "YX"))


def test_one_recipe_makes_a_model_with_scores(make_recipe, tmp_path):
    made = {"generator": "foreign_pictures", "kind": "other", "count": 2, "arguments": {"shape": [1, 32, 32]}}
    pairs = [
        {"images": [f"{n}.tif"], "kind": "squares", "group": n, "use": u} for n, u in zip("abc", USES, strict=True)
    ]
    simulated = [{**made, "seed": i, "use": use, "group": "made"} for i, use in enumerate(USES)]
    recipe = make_recipe(**KINDS, pairs=pairs, simulated=simulated, seed=3)
    folder = train(recipe, tmp_path / "run")
    card = read_card(folder)
    assert [s.metric for s in card.scores[:3]] == ["auroc_other", "accuracy", "calibration_error"]
    assert {(s.metric, s.on, s.n) for s in card.scores[3:]} == {
        ("accuracy", "squares: c", 1),
        ("accuracy", "other: made", 2),
        ("auroc_other", "other: made, against all others", 2),
    }
    assert "Kinds of images: squares, other" in readme(card)
    assert card.recipe["pairs"][0]["images"] == ["a.tif"]
    assert identify(tmp_path / "a.tif", model=str(folder)).kind in {"squares", "other"}


USES = ("train", "val", "test")


def test_a_temperature_makes_too_sure_a_model_less_sure():
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, 400)
    seen = np.where(rng.random(400) < 0.8, kinds, 1 - kinds)  # right four times in five
    logits = 6.0 * np.eye(2)[seen]
    judged = [Judged(str(i), "g", int(k), row[None]) for i, (k, row) in enumerate(zip(kinds, logits, strict=True))]
    share = (seen == kinds).mean()
    assert 6 / fit_temperature(judged) == pytest.approx(np.log(share / (1 - share)), rel=0.05)


def test_a_temperature_never_makes_a_model_surer_than_it_was_trained_to_be():
    told_right = [Judged(str(kind), "g", kind, np.eye(2)[[kind]]) for kind in (0, 1)]
    assert fit_temperature(told_right) == 1


def test_cooling_divides_the_logits():
    torch.manual_seed(0)
    network = build_network("kind_cnn", {"out_channels": 3, "widths": [4]}).eval()
    x = torch.rand(1, 1, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(cooled(network, 2.0)(x), network(x) / 2, atol=1e-6)


def test_planes_of_a_stack_are_scored_one_by_one(make_recipe):
    from napari_bioseg.models.model import Model
    from napari_bioseg.workflows.training import make_card

    made = {"generator": "foreign_pictures", "kind": "other", "count": 1, "arguments": {"shape": [11, 32, 32]}}
    recipe = make_recipe(**KINDS, pairs=[], simulated=[{**made, "use": "test"}])
    model = Model(make_card(recipe), build_network("kind_cnn", recipe.architecture.arguments).eval())
    (found,) = judge(recipe, model, "test", Job())
    assert found.logits.shape == (8, 2)
    assert len(np.unique(found.logits[:, 0])) == 8


def test_what_a_fold_leaves_out_is_scored_by_a_network_that_has_not_seen_it(make_recipe, tmp_path):
    made = {"generator": "foreign_pictures", "kind": "other", "count": 1, "arguments": {"shape": [1, 32, 32]}}
    pairs = [{"images": [f"{n}.tif"], "kind": "squares", "group": n} for n in "ab"]
    pairs.append({"images": ["c.tif"], "kind": "squares", "group": "c", "use": "val"})
    simulated = [{**made, "group": "made"}, {**made, "use": "val", "seed": 1, "group": "more"}]
    recipe = make_recipe(**KINDS, pairs=pairs, simulated=simulated, folds=[["b"]])
    folder = train(recipe, tmp_path / "run")
    assert {(s.metric, s.on) for s in read_card(folder).scores[-1:]} == {("accuracy", "squares: b")}
    part = recipe.without_fold(("b",))
    assert [(p.group, p.use) for p in part.pairs] == [("a", "train"), ("b", "test"), ("c", "val")]
    assert len([line for line in Run(tmp_path / "run").metrics() if "temperature" in line]) == 2
    assert {path.name for path in (tmp_path / "run").iterdir() if path.is_dir()} == {"fold-1", "final", "squares"}
