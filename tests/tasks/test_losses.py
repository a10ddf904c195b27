"""Losses against references and by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from napari_bioseg.core import RecipeError
from napari_bioseg.tasks import LOSSES, weighing, weighted_loss
from napari_bioseg.tasks.boundary import outline_distance
from napari_bioseg.tasks.losses import Batch, soft_skeleton

SEMANTIC = [name for name in LOSSES if name not in ("boxes", "centres")]
"""Those of a detector take targets of their own: see test_detection."""


def _batch(dims: int = 2, softmax: bool = False, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 3, *(12,) * dims)
    logits = torch.randn(shape, generator=generator)
    truth = functional.one_hot(torch.randint(3, (shape[0], *shape[2:]), generator=generator), 3).movedim(-1, 1).float()
    return Batch(logits, truth, torch.ones(shape[0], 1, *shape[2:]), softmax)


@pytest.mark.parametrize("dims", [2, 3])
def test_dice_is_monais(dims: int) -> None:
    from monai.losses import DiceLoss  # here, since it takes seconds to load wherever this file is read

    batch = _batch(dims)
    reference = DiceLoss(sigmoid=True, batch=True, smooth_nr=1, smooth_dr=1)(batch.logits, batch.truth)
    assert float(LOSSES.get("dice")(batch)) == pytest.approx(float(reference), abs=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_skeleton_is_monais(dims: int) -> None:
    from monai.losses.cldice import soft_skel

    p = _batch(dims).logits.sigmoid()
    assert torch.allclose(soft_skeleton(p), soft_skel(p, 5), atol=1e-6)


def test_cross_entropy_is_torchs() -> None:
    sigmoid, softmax = _batch(), _batch(softmax=True)
    expected = functional.binary_cross_entropy_with_logits(sigmoid.logits, sigmoid.truth)
    assert float(LOSSES.get("bce")(sigmoid)) == pytest.approx(float(expected), abs=1e-6)
    expected = functional.cross_entropy(softmax.logits, softmax.truth.argmax(1))
    assert float(LOSSES.get("bce")(softmax)) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("name", SEMANTIC)
@pytest.mark.parametrize("softmax", [False, True])
def test_masked_pixels_do_not_count(name: str, softmax: bool) -> None:
    batch = _batch(softmax=softmax)
    mask = batch.weight.clone()
    mask[..., :6] = 0
    changed = batch.truth.clone()
    changed[..., :6] = 1 - changed[..., :6]
    a = LOSSES.get(name)(Batch(batch.logits, batch.truth, mask, softmax))
    b = LOSSES.get(name)(Batch(batch.logits, changed, mask, softmax))
    assert float(a) == pytest.approx(float(b), abs=1e-6)


@pytest.mark.parametrize("name", SEMANTIC)
@pytest.mark.parametrize("softmax", [False, True])
def test_masked_pixels_have_no_gradient(name: str, softmax: bool) -> None:
    batch = _batch(softmax=softmax)
    known = batch.weight.clone()
    known[..., :6] = 0
    logits = batch.logits.clone().requires_grad_()
    weighing(LOSSES.get(name), known[:, 0])(replace(batch, logits=logits)).backward()
    assert logits.grad is not None
    assert (logits.grad[..., :6] == 0).all()
    assert (logits.grad[..., 6:] != 0).any()


@pytest.mark.parametrize("name", ["bce", "focal", "dice", "tversky", "boundary"])
def test_a_weight_of_two_counts_as_two_pixels(name: str) -> None:
    batch = _batch()
    logits, truth = (torch.cat([t, t[:1]]) for t in (batch.logits, batch.truth))
    twice = Batch(logits, truth, torch.ones(3, 1, 12, 12), softmax=False)
    weight = torch.ones(2, 12, 12)
    weight[0] = 2
    found = weighing(LOSSES.get(name), weight)(batch)
    assert float(found) == pytest.approx(float(LOSSES.get(name)(twice)), rel=1e-5)


def test_cross_entropy_is_the_exact_mean_of_one_known_pixel() -> None:
    batch = _batch()
    known = torch.zeros(2, 12, 12)
    known[1, 4, 7] = 1
    pixel = functional.binary_cross_entropy_with_logits(batch.logits[1, :, 4, 7], batch.truth[1, :, 4, 7])
    assert float(weighing(LOSSES.get("bce"), known)(batch)) == float(pixel)
    assert float(weighing(LOSSES.get("bce"), known * 0)(batch)) == 0


@pytest.mark.parametrize("name", SEMANTIC)
def test_a_right_answer_costs_less_than_a_wrong_one(name: str) -> None:
    batch = _batch()
    right, wrong = batch.truth * 20 - 10, 10 - batch.truth * 20
    costs = [float(LOSSES.get(name)(Batch(logits, batch.truth, batch.weight, False))) for logits in (right, wrong)]
    assert costs[0] < 0.1 < costs[1]


def _four(truth: list[float], known: list[float], p: float = 0.2) -> Batch:
    """Pixels in a row, all of the same probability."""
    row = torch.tensor([truth, known], dtype=torch.float32)[:, None, None, None]
    return Batch(torch.full((1, 1, 1, len(truth)), p).logit(), row[0], row[1], softmax=False)


def test_focal_by_hand() -> None:
    # p of the true class is 0.2 for the first two pixels, one of which counts twice; 0.8 for the third; the last: none.
    batch = _four([1, 1, 0, 1], [2, 1, 1, 0])
    expected = (3 * 0.8**2 * -math.log(0.2) + 0.2**2 * -math.log(0.8)) / 4
    assert float(LOSSES.get("focal")(batch)) == pytest.approx(expected)
    # Channels that exclude each other: a third class of probability 0.5.
    logits = torch.tensor([0.2, 0.3, 0.5]).log().view(1, 3, 1, 1)
    softmax = Batch(logits, torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1), torch.ones(1, 1, 1, 1), softmax=True)
    assert float(LOSSES.get("focal")(softmax)) == pytest.approx(0.5**2 * math.log(2))


def test_tversky_by_hand() -> None:
    # Right 2 x 0.2 and 0.2, false 0.2, missed 2 x 0.8 and 0.8.
    expected = 1 - (0.6 + 1) / (0.6 + 0.3 * 0.2 + 0.7 * 2.4 + 1)
    assert float(LOSSES.get("tversky")(_four([1, 1, 0, 1], [2, 1, 1, 0]))) == pytest.approx(expected)


def test_boundary_by_hand() -> None:
    # Outline between the second and the third pixel; the last is not known, and would bring the fourth nearer.
    batch = _four([1, 1, 0, 0, 1], [1, 2, 1, 1, 0])
    distance = outline_distance(batch.truth, batch.weight > 0)
    assert distance.flatten().tolist() == [-1.5, -0.5, 0.5, 1.5, 0]
    assert float(LOSSES.get("boundary")(batch)) == pytest.approx(0.2 * (-1.5 - 2 * 0.5 + 0.5 + 1.5) / 5)
    for same in ([0.0] * 4, [1.0] * 4):
        assert float(LOSSES.get("boundary")(_four(same, [1, 1, 1, 1]))) == 0


def test_distances_of_a_square_are_euclidean() -> None:
    truth = torch.zeros(1, 1, 9, 9)
    truth[..., 3:6, 3:6] = 1
    distance = outline_distance(truth, torch.ones(1, 1, 9, 9, dtype=torch.bool))[0, 0]
    assert (distance[4, 4], distance[4, 0]) == (-1.5, 2.5)
    assert float(distance[0, 0]) == pytest.approx(math.hypot(3, 3) - 0.5)


def test_skeleton_of_a_bar_is_its_middle() -> None:
    bar = torch.zeros(1, 1, 11, 30)
    bar[0, 0, 3:8, 2:28] = 1
    skeleton = soft_skeleton(bar)[0, 0]
    assert skeleton[5, 8:22].min() == 1
    assert skeleton[3].max() == skeleton[7].max() == 0


def test_weights_add_up() -> None:
    batch = _batch()
    total = weighted_loss({"dice": 2.0, "bce": 0.5})(batch)
    assert float(total) == pytest.approx(2 * float(LOSSES.get("dice")(batch)) + 0.5 * float(LOSSES.get("bce")(batch)))


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(RecipeError, match="dice_ce"):
        weighted_loss({"dicce": 1})
