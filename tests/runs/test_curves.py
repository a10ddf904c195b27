"""The picture of a training's curves: what it shows, and that every end of a training leaves it behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.runs import Run
from napari_bioseg.runs.curves import CURVES, write_curves

_LOSS, _SCORE, _HELD_OUT = (0, 114, 178), (0, 128, 96), (213, 94, 0)


def _where(path: Path, color: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of the pixels of a colour, without the legend above each panel."""
    found = np.argwhere((np.asarray(Image.open(path).convert("RGB")) == color).all(-1))
    return found[found[:, 0] % 300 > 34]


def test_a_falling_loss_falls_and_a_rising_score_rises(tmp_path: Path) -> None:
    lines = [{"epoch": i, "loss": 1 / i, "score": i / 20, "held_out": None} for i in range(1, 11)]
    path = write_curves(tmp_path, lines, "dice")
    assert path == tmp_path / CURVES
    loss, score = _where(path, _LOSS), _where(path, _SCORE)
    first, last = (loss[i, 0] for i in (loss[:, 1].argmin(), loss[:, 1].argmax()))
    assert (first < 100, 200 < last < 300) == (True, True)
    first, last = (score[i, 0] for i in (score[:, 1].argmin(), score[:, 1].argmax()))
    assert (first > 500, 300 < last < 400) == (True, True)
    assert not len(_where(path, _HELD_OUT))


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    lines = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": float("nan")}, {"epoch": 3, "loss": None}, {"loss": 7}]
    path = write_curves(tmp_path, lines)
    assert path is not None
    assert Image.open(path).size == (760, 300)
    rows, columns = _where(path, _LOSS).T
    assert np.ptp(rows) < 12 > np.ptp(columns)  # one mark


def test_a_run_without_epochs_gets_no_picture(tmp_path: Path) -> None:
    assert write_curves(tmp_path, [{"image": "a", "state": "done"}]) is None
    assert not (tmp_path / CURVES).exists()


@pytest.mark.parametrize("error", [None, Cancelled("training", "stopped", "Run it again"), RuntimeError("no memory")])
def test_each_end_of_a_training_leaves_its_curves(tmp_path: Path, error: Exception | None) -> None:
    run = Run(tmp_path / "run")
    run.start("select_on: dice\n")

    def work() -> None:
        with run.ending():
            run.log(epoch=1, loss=0.5)
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            work()
    else:
        work()
    assert (run.folder / CURVES).is_file()
    assert run.info is not None
    assert run.info.status == {None: "finished", Cancelled: "cancelled"}.get(error and type(error), "failed")
