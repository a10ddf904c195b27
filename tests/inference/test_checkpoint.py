from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_bioseg.core.image import Image, image_from_array
from napari_bioseg.core.job import Job, Progress
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.inference.checkpoint import Checkpoint
from napari_bioseg.inference.tiled import begin
from napari_bioseg.models import load_model
from napari_bioseg.models.model import Model

_OPTIONS = PredictOptions(tile=32, backend="torch")


@pytest.fixture
def model(tiny_zoo: Path) -> Model:
    return load_model("tiny2d")


@pytest.fixture
def image() -> Image:
    return image_from_array(np.random.default_rng(0).integers(0, 255, (2, 96, 64), dtype=np.uint8), "ZYX")


def test_goes_on_where_it_was_stopped(image: Image, model: Model, tmp_path: Path) -> None:
    whole = predict(image, model, _OPTIONS)
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        if progress.done == 5:
            job.cancel()

    job = Job(stop)
    first = predict(image, model, _OPTIONS, checkpoint=Checkpoint(tmp_path / "kept"), job=job)
    assert not first.done
    kept = Checkpoint(tmp_path / "kept").done()
    assert 5 <= len(kept) < 12
    marks = {tile: (tmp_path / "kept" / "tiles" / str(tile)).stat().st_mtime_ns for tile in kept}
    (tmp_path / "kept" / "tiles" / ".0123abcd.part.11").touch()  # of a process that was killed
    second = predict(image, model, _OPTIONS, checkpoint=Checkpoint(tmp_path / "kept"), job=Job(seen.append))
    assert second.done
    assert seen[0].before == len(kept)
    assert {tile: (tmp_path / "kept" / "tiles" / str(tile)).stat().st_mtime_ns for tile in kept} == marks
    np.testing.assert_array_equal(second.probabilities[:], whole.probabilities[:])


def test_tiles_keep_the_edges_that_were_chosen_first(image: Image, model: Model, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "kept")
    assert begin(image, model, _OPTIONS, checkpoint) == 12
    assert begin(image, model, PredictOptions(tile=96), checkpoint) == 12


def test_parts_of_it_put_together_are_the_whole(image: Image, model: Model, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "kept")
    total = begin(image, model, _OPTIONS, checkpoint)
    first = predict(image, model, _OPTIONS, checkpoint=checkpoint, tiles=range(7, total))
    assert (first.done, checkpoint.done()) == (False, frozenset(range(7, total)))
    prediction = predict(image, model, _OPTIONS, checkpoint=checkpoint, tiles=range(7))
    assert prediction.done
    assert set(checkpoint.seconds()) == set(range(total))
    assert all(seconds > 0 for seconds in checkpoint.seconds().values())
    whole = predict(image, model, _OPTIONS)
    np.testing.assert_array_equal(prediction.probabilities[:], whole.probabilities[:])


def test_a_finished_one_is_read_without_the_network(image: Image, model: Model, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "kept")
    first = predict(image, model, _OPTIONS, checkpoint=checkpoint)
    for parameter in model.network.parameters():
        parameter.data.zero_()
    again = predict(image, model, _OPTIONS, checkpoint=checkpoint)
    assert again.done
    assert again.provenance == first.provenance
    assert np.asarray(again.probabilities[:]).std() > 0


def test_one_of_another_plan_is_begun_anew(image: Image, model: Model, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "kept")
    (tmp_path / "kept" / "tiles").mkdir(parents=True)
    (tmp_path / "kept" / "tiles" / "3").write_text("0.1")  # of a process killed before its plan was written
    assert predict(image, model, _OPTIONS, checkpoint=checkpoint).done
    assert len(checkpoint.done()) == 12


def test_an_error_in_one_tile_stops_the_others(image: Image, model: Model, tmp_path: Path) -> None:
    def fail_once(*_: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError

    calls: list[int] = []
    checkpoint = Checkpoint(tmp_path / "kept")
    begin(image, model, _OPTIONS, checkpoint)
    model.network.register_forward_pre_hook(fail_once)
    with pytest.raises(ZeroDivisionError):
        predict(image, model, _OPTIONS, checkpoint=checkpoint)
    assert len(checkpoint.done()) < 11
