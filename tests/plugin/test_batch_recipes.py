"""What a batch in the window does."""

from __future__ import annotations

import pytest

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.plugin.batch_recipes import describe, recipe_for
from napari_bioseg.plugin.settings import change_settings


@pytest.mark.parametrize(
    ("way", "options", "told"),
    [
        ("detect", {"iou": 0.4, "region": "T=0"}, "cdv: iou 0.4"),
        ("segment", {"instances": True, "region": "Z=1", "of_an_older_version": 3}, "cdv: instances on"),
        ("detect", {}, "cdv, with its own options"),
    ],
)
def test_a_panel_is_taken_as_it_was_last_run(way, options, told):
    change_settings(**{way: {"model": "cdv", **options}})
    assert describe(recipe_for(way)) == told


@pytest.mark.parametrize("way", ["segment", "detect"])
def test_a_panel_that_was_never_run_is_named(way):
    with pytest.raises(RecipeError, match=f"panel {way.title()}: has not been run"):
        recipe_for(way)


def test_what_is_wrong_in_the_settings_is_told(config):
    change_settings(detect={"model": "cdv", "iou": "much"})
    with pytest.raises(RecipeError, match=r"settings\.yaml: iou"):
        recipe_for("detect")


def test_a_recipe_is_read_from_its_file_and_missed_where_there_is_none(tmp_path):
    (tmp_path / "r.yaml").write_text("model: cdv\nconfidence: 0.3\n")
    assert describe(recipe_for("recipe", str(tmp_path / "r.yaml"))) == "cdv: confidence 0.3"
    with pytest.raises(RecipeError, match="is not chosen"):
        recipe_for("recipe")
    with pytest.raises(RecipeError, match="cannot be read"):
        recipe_for("recipe", str(tmp_path / "none.yaml"))
