"""Several images together."""

from __future__ import annotations

import pytest

from napari_bioseg.metrics.paired import mean_interval
from napari_bioseg.workflows.scores import Row, mean_row, score_interval


def test_a_mean_is_of_the_images_that_have_the_score() -> None:
    values = [0.5, 0.6, 0.7]
    rows = [Row(str(v), {"iou": v} | ({"iou_synapse": v} if v < 0.65 else {}), {"iou": v / 2}) for v in values]
    row = mean_row(rows)
    assert row.image == "mean of 3 images"
    assert row.scores == pytest.approx({"iou": 0.6, "iou_synapse": 0.55})
    assert row.oracle == pytest.approx({"iou": 0.3})
    assert row.intervals == {"iou": mean_interval(values)}  # two say nothing about how much they differ
    assert mean_row(rows, list("aab")).intervals == {}


def test_an_interval_stays_within_what_the_metric_can_be() -> None:
    assert score_interval("iou", [0.01, 0.9, 0.99]) == (0.0, 1.0)
    low, high = score_interval("count_error", [0.01, 0.9, 0.99]) or (0, 0)
    assert low == 0
    assert high > 1
