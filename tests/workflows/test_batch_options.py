"""Recipes of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.workflows.batch_options import BatchOptions, batch_recipe, read_batch_recipe
from napari_bioseg.workflows.options import DetectOptions, SegmentOptions


@pytest.mark.parametrize("options", [SegmentOptions(model="m", threshold=0.3, region="Z=1"), DetectOptions(iou=0.4)])
def test_a_recipe_says_what_a_panel_was_set_to(tmp_path: Path, options: SegmentOptions | DetectOptions) -> None:
    (tmp_path / "r.yaml").write_text(batch_recipe(options, axes="ZYX").to_yaml())
    read = read_batch_recipe(tmp_path / "r.yaml", {"device": "cpu"})
    assert (read.axes, read.device) == ("ZYX", "cpu")
    task = "detection" if isinstance(options, DetectOptions) else "semantic"
    again = read.of_task(task)
    assert again == options.model_copy(update={"region": None, "device": "cpu"})


def test_a_recipe_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="model"):
        BatchOptions.checked({}, "options")
