"""The semantic task: targets, loss and score agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bioseg.core import RecipeError
from napari_bioseg.tasks import IGNORED, TASKS, Decision, weighted_loss

TASK = TASKS.get("semantic")


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_ignored_pixels_do_not_change_the_loss(activation: str) -> None:
    target = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    logits = torch.randn(2, TASK.channels((1, 2), activation), 8, 8, generator=torch.Generator().manual_seed(1))
    target[:, :4] = IGNORED
    moved = logits.clone()
    moved[:, :, :4] += 3
    loss = weighted_loss({"dice_ce": 1})
    a, b = (TASK.loss(value, target, loss, activation) for value in (logits, moved))
    assert float(a) == pytest.approx(float(b))


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_a_perfect_answer_scores_one(activation: str) -> None:
    target = np.random.default_rng(0).integers(0, 3, (4, 16, 16)).astype(np.int16)
    first = 0 if activation == "softmax" else 1
    p = np.stack([target == v for v in range(first, 3)]).astype(np.float32)
    for metric in ("dice", "iou", "pixel_accuracy"):
        assert TASK.score(metric, p, target, Decision(activation)) == pytest.approx(1)
    assert TASK.score("dice", 1 - p, target, Decision(activation)) == 0


def test_the_threshold_is_heeded() -> None:
    target = np.array([[[1, 1, 0, 0]]], dtype=np.int16)
    p = np.array([[[[0.9, 0.4, 0.3, 0.1]]]], dtype=np.float32)
    assert TASK.score("dice", p, target, Decision(threshold=0.35)) == pytest.approx(1)
    assert TASK.score("dice", p, target, Decision(threshold=0.5)) == pytest.approx(2 / 3)


def test_unknown_pixels_do_not_score() -> None:
    target = np.array([[[1, -1, 0, -1]]], dtype=np.int16)
    p = np.array([[[[1, 1, 0, 1]]]], dtype=np.float32)
    assert TASK.score("dice", p, target, Decision()) == pytest.approx(1)


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(RecipeError, match="v_rand"):
        TASK.score("dise", np.zeros((1, 1, 4, 4)), np.zeros((1, 4, 4), np.int16), Decision())
