"""Images of one kind each: what is learnt from them, and how they are scored."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.tasks import TASKS, check_losses, check_metrics, weighted_loss
from napari_bioseg.tasks.base import Decision
from napari_bioseg.tasks.classification import SCORES

TASK = TASKS.get("classification")


def test_the_loss_is_that_of_the_mean_and_does_not_see_where_nothing_is_known():
    logits = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    target = torch.full((2, 8, 8), 2)
    target[1] = 3
    target[:, :, 5:] = -1  # beyond the border of the image
    found = TASK.loss(logits, target, weighted_loss({"bce": 1.0}), "softmax")
    wanted = torch.nn.functional.cross_entropy(logits.mean(dim=(2, 3)), torch.tensor([1, 2]))
    assert float(found) == pytest.approx(float(wanted), abs=1e-6)


def test_a_plane_counts_as_an_image():
    p = np.zeros((3, 2, 4, 4))
    p[0, 0], p[2, 1] = 1, 1
    target = np.broadcast_to(np.int16(3), (2, 4, 4))
    assert TASK.score("accuracy", p, target, Decision()) == 0.5
    assert TASK.score("log_likelihood", p, target, Decision()) < -5
    with pytest.raises(RecipeError, match="single image"):
        TASK.score("auroc", p, target, Decision())


def test_scores_of_several_images():
    p = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.55, 0.45]])
    kinds = np.array([0, 0, 1, 1])
    assert SCORES["accuracy"](p, kinds) == 0.75
    assert SCORES["auroc"](p, kinds) == 1.0
    # Four bins of one each: 1 - 0.8, 1 - 0.6, 1 - 0.7, and 0.55 - 0.
    assert SCORES["calibration_error"](p, kinds) == pytest.approx((0.2 + 0.4 + 0.3 + 0.55) / 4)


def test_only_what_one_image_can_tell_chooses_an_epoch():
    check_metrics("classification", SCORES)
    check_metrics("classification", ["log_likelihood"], chosen_by=True)
    with pytest.raises(RecipeError, match="several images"):
        check_metrics("classification", ["auroc"], chosen_by=True)
    with pytest.raises(RecipeError, match="not for classification"):
        check_losses("classification", ["dice"])
