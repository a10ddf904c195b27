"""What a tracking server gets of a run: its records, what it made, and pictures of that."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from napari_bioseg.core.errors import ModelNotFoundError, UnreadableFileError
from napari_bioseg.models.card import CARD_FILE, README_FILE, Card, read_card
from napari_bioseg.runs import Run
from napari_bioseg.runs.contents import Contents, read_contents
from napari_bioseg.runs.curves import CURVES
from napari_bioseg.runs.info import RunInfo
from napari_bioseg.runs.lock import is_busy
from napari_bioseg.runs.trained_model import TrainedModel
from napari_bioseg.workflows.comparison_file import read_comparison
from napari_bioseg.workflows.comparison_result import FILE
from napari_bioseg.workflows.confusion_file import FILE as CONFUSION
from napari_bioseg.workflows.promotion import find_trained
from napari_bioseg.workflows.training_preview import read_preview

_RECORDS = (
    *("recipe.yaml", "environment.json", "metrics.jsonl", "data.json", "training_set.json"),
    *(FILE, CONFUSION, CURVES),
)
_RESULTS = ("report.html", "summary.csv")  # of a batch, beside its run
_KILLED = "ended without a word: killed, or the power failed"


def contents_of(folder: Path) -> tuple[Contents, TrainedModel | None]:
    """Read a run and the model that it made; a run of an older version gets its id.

    Raises
    ------
    UnreadableFileError, RecipeError, BrokenModelError
        The run is damaged.
    UnwritableFileError
        The id cannot be written.
    """
    made = _made(folder)
    info = _as_it_stands(folder, Run(folder).adopt("finished" if made else "cancelled"))
    model = made if info.kind == "training" and info.status == "finished" else None
    files = {name: folder / name for name in _RECORDS}
    if info.kind == "batch":
        files |= {name: folder.parent / name for name in _RESULTS}
    tags: dict[str, str] = {}
    threshold = 0.5
    if model is not None:
        card = read_card(model.folder)
        files |= {name: model.folder / name for name in (CARD_FILE, README_FILE)}
        tags["scores"], threshold = card.score_line, card.output.threshold
    with suppress(UnreadableFileError):  # where there is none
        tags["verdict"] = read_comparison(folder / FILE).verdict
    pictures = {}
    with suppress(UnreadableFileError):  # it is but an ornament
        preview = read_preview(folder, threshold)
        pictures = {f"preview-{i}.png": p for i, p in enumerate(preview.pictures if preview else (), start=1)}
    return read_contents(folder, info, files=files, tags=tags, pictures=pictures), model


def model_of(card: Card, folder: Path) -> TrainedModel:
    """Return what a registry must know of a model folder."""
    return TrainedModel(
        folder=folder,
        name=card.name,
        sha256=card.sha256,
        summary=f"{card.title}. {card.summary}. {card.score_line}",
        axes=card.input.axes,
        boxes=card.task == "detection",
    )


def _made(folder: Path) -> TrainedModel | None:
    try:
        found = find_trained(folder)
    except ModelNotFoundError:
        return None
    return model_of(read_card(found), found)


def _as_it_stands(folder: Path, info: RunInfo) -> RunInfo:
    """Return what a run says of itself; one that says that it runs, and does not, has failed."""
    if info.status != "running" or is_busy(folder):
        return info
    times = [str(line["time"]) for line in Run(folder).metrics() if "time" in line]
    ended = times[-1] if times else info.started
    return info.model_copy(update={"status": "failed", "why": _KILLED, "ended": ended})
