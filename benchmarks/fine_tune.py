"""What verified slices teach: ``python -m benchmarks.fine_tune FOLDER``.

A shipped model segments a kind of image that it was not made for; k slices of it are corrected to the truth and
verified, in a project as the window makes it, and the model is fine-tuned on them with the panel's defaults. It is
scored on slices further away. Beside it the same slices without masking and distillation: every slice of the project
counts as truth, corrected or not, and nothing holds the model to what it could before. "Original" is the score on what
the shipped model was tested on, as far as that is here.

Each finished cell is a JSON file in FOLDER: a run that was stopped goes on where it was. Needs the project's data
folder.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tifffile

from napari_bioseg import open_image, segment
from napari_bioseg.core.files import whole_or_nothing
from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.core.job import Job
from napari_bioseg.corrections.change import Change, Patch
from napari_bioseg.corrections.journal import Journal
from napari_bioseg.corrections.project import create_project, project_beside
from napari_bioseg.corrections.project_info import PredictionInfo, refer
from napari_bioseg.corrections.records import Step, Verify
from napari_bioseg.models import load_model
from napari_bioseg.models.model import Model
from napari_bioseg.workflows.evaluation import evaluate_image
from napari_bioseg.workflows.finetuning import FineTuneOptions, fine_tune_recipe
from napari_bioseg.workflows.options import EvaluateOptions
from napari_bioseg.workflows.original_data import original_data
from napari_bioseg.workflows.training import train

DATA = Path(os.environ.get("BIOSEG_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
COUNTS = (0, 1, 3, 5)


@dataclass(frozen=True)
class Case:
    """A model, and images that it was not made for.

    Attributes
    ----------
    pool, test : range
        Slices to verify, and to score on; between them lies a gap, as neighbours look alike.
    window : tuple of slice
        Along Y and X.
    """

    model: str
    image: str
    label: str
    pool: range
    test: range
    window: tuple[slice, slice]
    metrics: tuple[str, ...]
    pixel_size: dict[str, float]

    def open(self, planes: range) -> tuple[Image, np.ndarray]:
        """Return some slices, and the class of each of their pixels."""
        image = open_image(DATA / self.image, axes="ZYX")
        label = np.asarray(open_image(DATA / self.label, axes="ZYX").data)
        box = (slice(planes.start, planes.stop), *self.window)
        part = image_from_array(np.asarray(image.data[box]), "ZYX", pixel_size=self.pixel_size, name="part")
        # Of the multi-class sections the membranes are background, and all that they part is interior.
        truth = label[box] != 1 if "multiclass" in self.label else label[box] > 0
        return part, truth.astype(np.int16)


CASES = {
    "em": Case(
        "membranes-unet2d", "em-multiclass/image.tif", "em-multiclass/label.tif", range(8), range(9, 14),
        (slice(0, 512), slice(0, 512)), ("v_rand", "pixel_accuracy"),
        {"Z": 0.05, "Y": 0.0046, "X": 0.0046},
    ),
    "vessels": Case(
        "vessels-unet3d", "vessels/plaque/image.ome.tif", "vessels/plaque/label.ome.tif", range(9), range(10, 14),
        (slice(0, 512), slice(0, 512)), ("dice", "cldice"),
        {"Z": 5.0, "Y": 2.485, "X": 2.485},
    ),
}  # fmt: skip


def make_project(folder: Path, case: Case, count: int, *, masked: bool) -> Path:
    """Write the pool as a file, and its project: `count` evenly spaced slices corrected to the truth and verified.

    Without masking, all slices are declared verified.
    """
    image, truth = case.open(case.pool)
    source = folder / "stack.ome.tif"
    sizes = {f"PhysicalSize{a}": size for a, size in case.pixel_size.items()}
    tifffile.imwrite(source, np.asarray(image.data), metadata={"axes": "ZYX", **sizes})
    labels = np.asarray(segment(source, model=case.model).labels[...])
    project_folder = project_beside(source)
    info = PredictionInfo(
        name="stack", axes="ZYX", scale=image.scale, units=(None,) * 3, translate=(0.0,) * 3,
        classes=load_model(case.model).card.classes,
    )  # fmt: skip
    with create_project(project_folder, refer(source, project_folder, shape=image.shape, name="stack")) as project:
        saved = project.add_prediction(info, labels, job=Job())
    chosen = {int((i + 0.5) * len(case.pool) / count) for i in range(count)}
    with Journal(saved.journal, {"shape": list(image.shape)}, on_problem=_fail) as journal:
        for z in range(len(case.pool)):
            box = (slice(z, z + 1), slice(0, image.shape[1]), slice(0, image.shape[2]))
            patch = Patch.between((z, 0, 0), labels[box], truth[box].astype(np.uint32)) if z in chosen else None
            if patch is not None:
                journal.append(Step(z + 1, Change("paint", (patch,))))
            if z in chosen or not masked:
                journal.append(Verify(box, True))
    return project_folder


def tune(case: Case, count: int, effort: str, *, ours: bool, seed: int) -> tuple[Model, float]:
    """Return the fine-tuned model, and the minutes that it took."""
    if not count:
        return load_model(case.model), 0.0
    with TemporaryDirectory() as scratch:
        project = make_project(Path(scratch), case, count, masked=ours)
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
    found = evaluate_image(*case.open(case.test), model, options).scores
    original = original_data(load_model(case.model).card, {(DATA / case.image).resolve()})
    rows = [] if original is None else [evaluate_image(c.image, c.truth, model, options) for c in original.cases]
    found |= {f"original {name}": fmean(row.scores[name] for row in rows) for name in case.metrics if rows}
    return found


def run(folder: Path, names: list[str], counts: list[int], seeds: int, effort: str) -> dict[str, dict[str, Any]]:
    """Make what is missing, and return all cells."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = {}
    for seed in range(seeds):
        for name in names:
            for count in counts:
                for ours in (True, False) if count else (True,):
                    key = f"{name}-{count}-{'ours' if ours else 'naive'}-{effort}-{seed}"
                    cells[key] = _cell(folder / f"{key}.json", CASES[name], count, effort, ours, seed)
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


def _fail(error: Exception) -> None:
    raise error


def main() -> None:
    """Print every cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--counts", nargs="+", type=int, default=list(COUNTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--effort", default="normal", choices=("quick", "normal", "thorough"))
    asked = parser.parse_args()
    run(asked.folder, asked.cases, asked.counts, asked.seeds, asked.effort)


if __name__ == "__main__":
    main()
