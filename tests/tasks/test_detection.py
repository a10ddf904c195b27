"""What the network is to give, how it is read, and that the losses lead there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.errors import RecipeError
from napari_bioseg.tasks import TASKS, Decision, check_losses, check_metrics, default_metrics, weighted_loss
from napari_bioseg.tasks.detection import MAPS, OFFSET, SCORES, WEIGHTED, decode, encode

TASK = TASKS.get("detection")
LOSS = weighted_loss({"centres": 1.0, "boxes": 1.0})
MAPS_OF_TRUTH = [0, 2, 3, 4, 5]


@pytest.fixture
def boxes():
    rng = np.random.default_rng(0)
    centre = np.stack(np.meshgrid(np.arange(6, 60, 12), np.arange(6, 90, 12), indexing="ij"), -1).reshape(-1, 2)
    return Boxes.of(centre + rng.uniform(-0.49, 0.49, centre.shape), rng.uniform(3, 20, centre.shape))


def sorted_rows(boxes):
    rows = np.concatenate((boxes.centre, boxes.size), axis=1)
    return rows[np.lexsort(np.rint(rows[:, 1::-1]).T)]


def test_what_was_encoded_is_decoded(boxes):
    found = decode(encode(boxes, (66, 96))[MAPS_OF_TRUTH], 0.99)
    assert np.allclose(sorted_rows(found), sorted_rows(boxes), rtol=1e-3, atol=1e-3)


def test_two_centres_near_each_other_are_two_peaks():
    pair = Boxes.of([[20.0, 20.0], [20.0, 22.0]], [[6, 6], [6, 6]])
    found = decode(encode(pair, (40, 40))[MAPS_OF_TRUTH].astype(np.float16), 0.5)
    assert np.allclose(sorted_rows(found)[:, :2], pair.centre, atol=0.01)


def merged_pair(right=0.5, row=10):
    """Return maps of two particles with one peak between them, each told by the pixels of its side."""
    maps = np.zeros((MAPS, 20, 20), np.float32)
    maps[0, row, 8:13] = 0.3, 0.5, 0.6, right, right / 2
    maps[3:] = encode(Boxes.of([[5.0, 5.0]], [[5, 5]]), (20, 20))[4:, 5:6, 5:6]
    x = np.arange(8, 13)
    maps[1, row, 8:13] = 0.5
    maps[2, row, 8:13] = (np.where(x < 11, 8.5, 11.5) - x) / (2 * OFFSET) + 0.5
    return maps


@pytest.mark.parametrize("row", [0, 10, 19])
def test_a_pixel_beside_a_peak_tells_of_a_particle_of_its_own(row):
    found = decode(merged_pair(row=row), 0.05)
    assert found.centre.tolist() == [[row, 8.5], [row, 11.5]]
    assert found.confidence.tolist() == pytest.approx([0.6, 0.5])


def test_beside_a_peak_a_faint_pixel_is_not_believed():
    assert decode(merged_pair(right=0.09), 0.05).centre.tolist() == [[10, 8.5]]


def test_rows_are_read_as_the_whole_is():
    maps = np.random.default_rng(0).uniform(0.4, 0.6, (MAPS, 40, 30))
    maps[0] = maps[0] * 5 - 2
    whole = decode(maps, 0.05)
    # As they are read: a row more on each side.
    parts = [decode(maps[:, :21], 0.05, rows=slice(0, 20)), decode(maps[:, 19:], 0.05, rows=slice(1, 21))]
    assert len(whole) == sum(map(len, parts)) > 100
    assert np.allclose(whole.centre, np.vstack([parts[0].centre, np.add(parts[1].centre, (19, 0))]))


def test_boxes_at_the_border_and_beyond_it():
    maps = encode(Boxes.of([[0.2, 0.2], [-0.4, 39.4], [50, 50]], np.full((3, 2), 5.0)), (40, 40))
    assert len(decode(maps[MAPS_OF_TRUTH], 0.5)) == 2


def test_rows_and_factor():
    boxes = Boxes.of([[10.0, 10.0], [20.25, 30.0]], [[4, 4], [4, 4]])
    maps = encode(boxes, (40, 40))[MAPS_OF_TRUTH]
    assert decode(maps, 0.5, rows=slice(0, 20)).centre.tolist() == [[10, 10]]
    found = decode(maps, 0.5, rows=slice(20, 40), factor=(2.0, 1.0))
    assert np.allclose(found.centre, [[20.5, 30]])
    assert np.allclose(found.size, [[8, 4]], rtol=1e-3)


def test_an_empty_map_has_no_boxes():
    assert len(decode(np.zeros((MAPS, 30, 30), np.float16), 0.0)) == 0


def logits_of(maps):
    units = torch.from_numpy(maps[MAPS_OF_TRUTH]).clamp(1e-4, 1 - 1e-4)
    return torch.logit(units)[None]


def test_the_loss_is_least_at_the_truth(boxes):
    target = torch.from_numpy(encode(boxes, (66, 96)))[None]
    right = logits_of(target[0].numpy())
    best = TASK.loss(right, target, LOSS, "sigmoid")
    for wrong in (right + 0.5, right.roll(1, 3), torch.zeros_like(right)):
        assert TASK.loss(wrong, target, LOSS, "sigmoid") > best + 0.05


@pytest.mark.parametrize("name", ["centres", "boxes"])
def test_following_the_gradient_finds_the_boxes(boxes, name):
    target = torch.from_numpy(encode(boxes, (66, 96)))[None]
    logits = torch.zeros(1, MAPS, 66, 96, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.2)
    for _ in range(150):
        optimiser.zero_grad()
        TASK.loss(logits, target, weighted_loss({name: 1.0}), "sigmoid").backward()
        optimiser.step()
    maps = logits.detach().sigmoid()[0].numpy()
    if name == "boxes":
        maps[0] = target[0, 0]
    found = decode(maps, 0.5)
    assert len(found) == len(boxes)
    if name == "boxes":
        assert TASK.score("map", maps[:, None], boxes, Decision()) > 0.9


def test_without_boxes_the_losses_are_finite():
    target = torch.from_numpy(encode(Boxes.none(), (16, 16)))[None]
    logits = torch.zeros(1, MAPS, 16, 16, requires_grad=True)
    value = TASK.loss(logits, target, LOSS, "sigmoid")
    value.backward()
    assert torch.isfinite(value)
    assert (logits.grad[:, 0] > 0).all()


def test_scores(boxes):
    maps = encode(boxes, (66, 96))[MAPS_OF_TRUTH][:, None]
    decision = Decision("sigmoid", 0.5)
    assert TASK.score("map50", maps, boxes, decision) > 0.99
    assert TASK.score("f1", maps, boxes, decision) > 0.99
    assert TASK.score("f1", maps, boxes[:10], decision) == pytest.approx(20 / (10 + len(boxes)))
    with pytest.raises(RecipeError, match="map50, map, f1"):
        TASK.score("dice", maps, boxes, decision)


def test_an_interval_is_of_the_score_that_is_reported(boxes):
    rng = np.random.default_rng(0)
    truth = Boxes.of(boxes.centre, boxes.size, frame=np.arange(len(boxes)) % 4)
    moved = truth.centre + rng.normal(0, 1, truth.centre.shape)
    found = Boxes.of(moved, truth.size, frame=truth.frame, confidence=rng.random(len(truth)))[:-5]
    assert WEIGHTED.keys() == SCORES.keys()
    for name, score in SCORES.items():
        assert WEIGHTED[name](found, truth)(np.ones(4)) == pytest.approx(score(found, truth))


def test_what_is_not_for_a_task_is_refused():
    check_metrics("detection", SCORES)
    check_metrics("detection", [*default_metrics("detection"), "f1_integral"])
    check_metrics("semantic", default_metrics("semantic"))
    check_losses("detection", ["centres", "boxes"])
    check_losses("semantic", ["dice_ce", "of-another-package"])
    check_losses("of-another-package", ["dice_ce", "boxes"])
    assert default_metrics("of-another-package") == ()
    with pytest.raises(RecipeError, match="cannot choose"):
        check_metrics("detection", ["count_error"], chosen_by=True)
    with pytest.raises(RecipeError, match=r"'boxes': is not for semantic models\. Give losses out of: bce"):
        check_losses("semantic", ["dice", "boxes"])
