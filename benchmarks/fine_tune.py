"""What verified slices teach: ``python -m benchmarks.fine_tune FOLDER``.

A shipped model segments a kind of image that it was not made for; k slices of it are corrected to the truth and
verified, in a project as the window makes it, and the model is fine-tuned on them with the panel's defaults. It is
scored on slices further away. Beside it the same slices without masking and distillation: every slice of the project
counts as truth, corrected or not, and nothing holds the model to what it could before. "Original" is the score on what
the shipped model was tested on, as far as that is here. Slices of the detector are frames of a movie. The shipped
vessels-unet3d has seen the vessels that it is tried on here: with ``--runs RUNS``, a model that has a run of its recipe
there (`bioseg train models/recipes/vessels-unet3d.yaml`) starts as the network of its first fold, which has not.

Each finished cell is a JSON file in FOLDER: a run that was stopped goes on where it was. Needs the project's data
folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.fine_tune_cases import CASES, DATA, Case
from benchmarks.folds import fold
from napari_bioseg.core.boxes import Boxes
from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.models import load_model
from napari_bioseg.models.model import Model, write_model
from napari_bioseg.workflows.box_evaluation import evaluate_boxes
from napari_bioseg.workflows.evaluation import evaluate_image
from napari_bioseg.workflows.finetuning import FineTuneOptions, fine_tune_recipe
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.original_data import original_data
from napari_bioseg.workflows.readme import readme
from napari_bioseg.workflows.training import train

COUNTS = (0, 1, 3, 5)


def tune(case: Case, count: int, effort: str, *, ours: bool, seed: int) -> tuple[Model, float]:
    """Return the fine-tuned model, and the minutes that it took."""
    if not count:
        return load_model(case.model), 0.0
    with TemporaryDirectory() as scratch:
        project = case.make_project(Path(scratch), count, masked=ours)
        options = FineTuneOptions(model=case.model, effort=effort, keep=0.5 if ours else 0.0)
        # All k slices are learnt from: what is scored on lies in no project.
        pairs = [{"project": str(project), "use": "train"}]
        values = fine_tune_recipe([project], options).model_dump(mode="json")
        changes = {"pairs": pairs, "seed": seed} | ({} if ours else {"corrected_weight": 1.0})
        recipe = type(fine_tune_recipe([project], options)).checked({**values, **changes}, "benchmark")
        began = time.monotonic()
        return load_model(train(recipe, Path(scratch) / "run")), (time.monotonic() - began) / 60


def score(case: Case, model: Model) -> dict[str, float]:
    """Return the scores on the test slices, and on images like those that the model was made for."""
    options = EvaluateOptions(model=case.model, metrics=case.metrics, backend="torch")
    image, truth = case.open(case.test)
    evaluate = evaluate_boxes if isinstance(truth, Boxes) else evaluate_image
    found = evaluate(image, truth, model, options).scores
    original = original_data(load_model(case.model).card, {(DATA / case.image).resolve()})
    rows = [] if original is None else [evaluate(c.image, c.truth, model, options) for c in original.cases]
    found |= {f"original {name}": fmean(row.scores[name] for row in rows) for name in case.metrics if rows}
    return found


def run(folder: Path, cases: dict[str, Case], counts: list[int], seeds: int, effort: str) -> dict[str, dict[str, Any]]:
    """Make what is missing, and return all cells."""
    cells = {}
    for seed in range(seeds):
        for name, case in cases.items():
            for count in counts:
                for ours in (True, False) if count else (True,):
                    key = f"{name}-{count}-{'ours' if ours else 'naive'}-{effort}-{seed}"
                    cells[key] = _cell(folder / f"{key}.json", case, count, effort, ours, seed)
                    sys.stdout.write(f"{key} {json.dumps(cells[key])}\n")
                    sys.stdout.flush()
    return cells


def _cell(file: Path, case: Case, count: int, effort: str, ours: bool, seed: int) -> dict[str, Any]:
    if not file.is_file():
        model, minutes = tune(case, count, effort, ours=ours, seed=seed)
        values = {"scores": score(case, model), "minutes": minutes}
        with whole_or_nothing(file) as part:
            part.write_text(json.dumps(values), encoding="utf-8")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def from_fold(case: Case, runs: Path, folder: Path) -> Case:
    """Return a case that starts from the first fold of a run, where there is one of its model."""
    run = runs / case.model
    if not (run / "recipe.yaml").is_file():
        return case
    start = folder / "start" / case.model
    if not start.is_dir():
        start.parent.mkdir(parents=True, exist_ok=True)
        _, model = fold(run, 1)
        write_model(start, model.card, model.network, readme(model.card))
    return replace(case, model=str(start))


def main() -> None:
    """Print every cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--counts", nargs="+", type=int, default=list(COUNTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--runs", type=Path, help="folder of runs of recipes with folds")
    parser.add_argument("--effort", default="normal", choices=("quick", "normal", "thorough"))
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    cases = {name: CASES[name] for name in asked.cases}
    if asked.runs:
        cases = {name: from_fold(case, asked.runs, asked.folder) for name, case in cases.items()}
    run(asked.folder, cases, asked.counts, asked.seeds, asked.effort)


if __name__ == "__main__":
    main()
