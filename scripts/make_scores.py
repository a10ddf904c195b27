"""Write the scores of shipped models to their cards again, with intervals, and their READMEs.

A training writes them by itself; this is for a metric or an interval that came later, and needs the data
(`BIOSEG_DATA`). Models whose scores are of the networks of folds keep theirs: these networks are not shipped. The
sample that the tests hold a model to is taken from its recipe again::

    python scripts/make_scores.py [NAME ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.core.job import Job
from napari_bioseg.models.card import CARD_FILE, README_FILE, Card, Score, read_card
from napari_bioseg.models.model import read_model
from napari_bioseg.training.recipe import read_recipe
from napari_bioseg.workflows.card_scores import score_tests, scores_of
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.readme import readme
from napari_bioseg.workflows.recipe_data import recipe_on_card

MODELS = Path(__file__).resolve().parent.parent / "models"


def main(names: list[str]) -> None:
    """Score some models."""
    for name in names:
        card = read_card(MODELS / name)
        sample = read_recipe(MODELS / "recipes" / f"{name}.yaml").card.sample
        card = card.model_copy(update={"sample": sample})
        if not card.recipe["folds"]:
            card = card.model_copy(update={"scores": scores(card)})
        for file, text in {CARD_FILE: card.to_yaml(), README_FILE: readme(card)}.items():
            with whole_or_nothing(MODELS / name / file) as part:
                part.write_text(text, encoding="utf-8")


def scores(card: Card) -> tuple[Score, ...]:
    """Return the scores of a model, with the baselines on its card where the evaluation gives none."""
    recipe = recipe_on_card(card)
    options = EvaluateOptions(model=card.name, metrics=recipe.metrics, backend="torch")
    found = scores_of(recipe, score_tests(recipe, read_model(MODELS / card.name), options, Job()))
    known = {(score.metric, score.on): score.baseline for score in card.scores}
    return tuple(
        score.model_copy(update={"baseline": known.get((score.metric, score.on))}) if score.baseline is None else score
        for score in found
    )


if __name__ == "__main__":
    main(sys.argv[1:] or sorted(folder.parent.name for folder in MODELS.glob(f"*/{CARD_FILE}")))
