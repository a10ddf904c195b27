"""The semantic task: targets, loss and score agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bioseg.core import RecipeError
from napari_bioseg.postprocess.threshold import classify
from napari_bioseg.tasks import IGNORED, TASKS, Decision, check_metrics, map_labels, weighted_loss
from napari_bioseg.tasks.semantic import can_score

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


def test_pixel_accuracy_is_that_of_known_pixels() -> None:
    target = np.array([[[1, 0, -1, -1]]], dtype=np.int16)
    p = np.array([[[[1, 1, 1, 0]]]], dtype=np.float32)
    assert TASK.score("pixel_accuracy", p, target, Decision()) == 0.5


# Both classes are above the threshold in the first two pixels, but a pixel gets one label.
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_scores_are_those_of_the_labels(activation: str) -> None:
    p = np.array([[[[0.8, 0.4, 0.1, 0.1]]], [[[0.6, 0.5, 0.1, 0.9]]]], dtype=np.float32)
    if activation == "softmax":
        p = np.concatenate((np.full_like(p[:1], 0.2), p))
    target = np.array([[[1, 2, 0, 2]]], dtype=np.int16)
    labels = classify(p.astype(np.float16), 0.3, activation)
    assert np.array_equal(labels, target)
    assert TASK.score("dice", p, target, Decision(activation, 0.3)) == 1
    assert TASK.score("iou", p, target, Decision(activation, 0.3)) == 1


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_scores_are_those_of_labels_with_their_gaps_closed(activation: str) -> None:
    target = np.ones((2, 24, 41), np.int16)
    target[..., 20] = 0
    p = np.where(target, 0.99, 0.1)[None].astype(np.float32)
    p[..., 9:13, 20] = 0.6
    if activation == "softmax":
        p = np.concatenate((1 - p, p))
    off, on = (TASK.score("v_rand", p, target, Decision(activation, separate=s)) for s in (0, 0.95))
    assert off < 0.8
    assert on == pytest.approx(1)


def test_membranes_are_scored_slice_by_slice_along_any_axes() -> None:
    target = np.random.default_rng(0).integers(0, 2, (2, 3, 16, 16)).astype(np.int16)
    assert TASK.score("v_rand", target[None].astype(np.float32), target, Decision()) == pytest.approx(1)


@pytest.mark.parametrize(("value", "said"), [(0, "interior"), (-1, "known")])
def test_labels_without_anything_to_score_are_refused(value: int, said: str) -> None:
    target = np.full((1, 8, 8), value, np.int16)
    with pytest.raises(RecipeError, match=said):
        TASK.score("v_rand", np.ones((1, 1, 8, 8), np.float32), target, Decision())


def test_label_values() -> None:
    values = np.array([0, 7, 255])
    assert map_labels(values, {}, 1).tolist() == [0, 1, 1]
    assert map_labels(np.array([0, -1, 3]), {}, 1).tolist() == [0, -1, 1]
    assert map_labels(np.array([0, -1, 3], np.float32), {}, 3).tolist() == [0, -1, 3]
    assert map_labels(values, {0: 0, 255: 1}, 1).tolist() == [0, -1, 1]


@pytest.mark.parametrize(
    ("values", "mapping", "said"),
    [
        ([0, 1, 4], {}, "4"),
        ([0, -2], {}, "-2"),
        ([0, 65537], {}, "65537"),  # would be 1 as int16
        ([0.0, 0.5], {}, "0.5"),
        ([0, 255], {255: 4}, "4"),
    ],
)
def test_values_that_are_no_class_are_refused(values: list[float], mapping: dict[int, int], said: str) -> None:
    with pytest.raises(RecipeError, match=rf"labels\.tif: value {said}"):
        map_labels(np.array(values), mapping, 3, "labels.tif")


@pytest.mark.parametrize("task", ["semantic", "detection"])
def test_unknown_metrics_are_known_before_any_work(task: str) -> None:
    with pytest.raises(RecipeError, match="dise"):
        check_metrics(task, ("dise",))


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(RecipeError, match="v_rand"):
        TASK.score("dise", np.zeros((1, 1, 4, 4)), np.zeros((1, 4, 4), np.int16), Decision())


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_each_class_is_scored_by_itself(activation: str) -> None:
    target = np.array([[[1, 1, 2, 0, -1]]], dtype=np.int16)
    p = np.array([[[[0.9, 0.8, 0.1, 0.2, 0.9]]], [[[0.1, 0.1, 0.6, 0.7, 0.9]]]], dtype=np.float16)
    if activation == "softmax":
        p = np.concatenate((np.zeros_like(p[:1]), p))
    assert TASK.score_classes("iou", p, target, Decision(activation)) == {1: 1.0, 2: 0.5}
    assert TASK.score("iou", p, target, Decision(activation)) == pytest.approx(0.75)
    # Class 2 comes second among the known pixels, whatever the threshold.
    assert TASK.score_classes("auprc", p, target, Decision(activation, 0.95)) == {1: 1.0, 2: 0.5}
    assert TASK.score("auprc", p, target, Decision(activation)) == pytest.approx(0.75)


def test_no_ranking_without_a_pixel_of_a_class() -> None:
    target = np.zeros((1, 2, 2), np.int16)
    assert not can_score("auprc", target)
    with pytest.raises(RecipeError, match="auprc"):
        TASK.score("auprc", np.ones((1, 1, 2, 2)), target, Decision())


def test_labels_alone_cannot_be_compared_by_their_ranking() -> None:
    check_metrics("semantic", ("auprc",))
    with pytest.raises(RecipeError, match="more than labels"):
        check_metrics("semantic", ("auprc",), compared=True)
