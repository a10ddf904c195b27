"""Cores are where objects are deep."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bioseg.models.card import OutputSpec
from napari_bioseg.tasks import TASKS, Decision, mark_cores, weighted_loss
from napari_bioseg.tasks.cores import without_cores

TASK = TASKS.get("semantic")


def test_a_core_is_as_deep_as_its_share_of_the_deepest() -> None:
    objects = np.zeros((1, 23, 46), np.int32)
    objects[0, 1:22, 1:22], objects[0, 1:22, 22:43] = 1, 2  # squares of 21 pixels that touch, 10 pixels deep
    marked = mark_cores((objects > 0).astype(np.int16), objects, 1)
    assert np.array_equal(marked > 0, objects > 0)
    core = np.zeros(objects.shape, bool)
    core[0, 5:18, 5:18] = core[0, 5:18, 26:39] = True  # 4 pixels or more from the rim
    assert np.array_equal(marked == 2, core)
    # Of one number they are one object, whose core goes on.
    assert (mark_cores((objects > 0).astype(np.int16), (objects > 0).astype(int), 1)[0, 11, 5:39] == 2).all()


def test_every_object_has_a_core_but_not_beside_what_is_not_known() -> None:
    target = np.zeros((2, 9, 9), np.int16)
    target[0, 4, 1:8] = 1
    assert (mark_cores(target, target, 1)[0, 4, 1:8] == 2).all()  # thin
    target[1], target[1, 0] = 1, -1
    assert (mark_cores(target, target, 1)[1] == np.where(target[1] == 1, 2, -1)).all()


def test_each_class_has_cores_of_its_own_and_they_can_be_taken_away() -> None:
    target = np.zeros((1, 9, 18), np.int16)
    target[0, 1:8, 1:8], target[0, 1:8, 9:16] = 1, 2
    target[0, 0, 0] = -1
    marked = mark_cores(target, np.ones_like(target), 2)
    assert np.unique(marked).tolist() == [-1, 0, 1, 2, 3, 4]
    assert marked[0, 4, [4, 12]].tolist() == [3, 4]
    assert np.array_equal(without_cores(marked, 2), target)


def test_the_network_learns_classes_and_cores() -> None:
    assert TASK.channels((1, 2), "sigmoid", True) == 3
    target = torch.tensor([[[0, 1, 3, 2, 4, -1]]])
    right = torch.tensor([[[-9, 9, 9, -9, -9, 0]], [[-9, -9, -9, 9, 9, 0]], [[-9, -9, 9, -9, 9, 0]]])[None].float()
    loss = weighted_loss({"dice_ce": 1.0})
    best = TASK.loss(right, target, loss, "sigmoid", True)
    assert best < 0.01
    for channel in range(3):
        wrong = right.clone()
        wrong[0, channel, 0, 2] *= -1
        assert TASK.loss(wrong, target, loss, "sigmoid", True) > best + 0.1


def test_cores_are_not_scored() -> None:
    target = np.array([[[0, 1, 2, -1]]], np.int16)
    p = np.array([[[[0.1, 0.9, 0.9, 0.9]]], [[[0.9, 0.1, 0.1, 0.9]]]], np.float16)
    for metric in ("iou", "auprc"):
        assert TASK.score(metric, p, target, Decision(cores=0.5)) == pytest.approx(1)


def test_cores_lie_inside_of_what_they_belong_to() -> None:
    with pytest.raises(ValueError, match="need activation sigmoid"):
        OutputSpec(activation="softmax", cores=0.5)
