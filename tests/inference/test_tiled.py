from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_bioseg.core.errors import IncompatibleImageError, RecipeError
from napari_bioseg.core.image import image_from_array
from napari_bioseg.core.job import Job, Progress
from napari_bioseg.core.prediction import Prediction
from napari_bioseg.inference import PredictOptions, predict
from napari_bioseg.models.model import Model
from napari_bioseg.postprocess import DecodeOptions, decode_volume

INSTANCES = DecodeOptions(threshold=0.5, instances=True)

few = settings(max_examples=18, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def noise(*shape: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.0)
    return np.clip(128 + 200 * smooth, 0, 255).astype(np.uint8)


def values(prediction: Prediction) -> npt.NDArray[np.float32]:
    return np.asarray(prediction.probabilities).astype(np.float32)


def assert_same(one: Prediction, other: Prediction) -> None:
    np.testing.assert_allclose(values(one), values(other), atol=1e-3, rtol=0)
    # Labels too, but for pixels that rounding may move across the threshold.
    clear = abs(values(one) - 0.5) > 2e-3
    first, second = (
        np.asarray(decode_volume(replace(p, probabilities=zarr.array(np.asarray(p.probabilities) * clear)), INSTANCES))
        for p in (one, other)
    )
    assert (first == second).all()


def direct(model: Model, array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The network as it was built, once over the whole mirrored image, without tiles."""
    offset, gain = model.card.input.normalisation.fit(array)
    pad, inner = [], [slice(None)]
    for n, halo, stride in zip(array.shape, model.halo, model.stride, strict=True):
        before = -(-min(halo, stride) // stride) * stride
        after = -(-(n + min(halo, stride)) // stride) * stride - n
        pad.append((before, after))
        inner.append(slice(before, before + n))
    padded = np.pad(array, pad, mode="symmetric").astype(np.float32)
    with torch.inference_mode():
        logits = model.network(torch.from_numpy((padded - offset) * gain)[None, None])[0]
        p = logits.sigmoid() if model.card.output.activation == "sigmoid" else logits.softmax(0)
    return p[tuple(inner)].numpy()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 5), (33, 61), (96, 128)])
def test_2d_is_the_direct_forward_pass(make_model: Any, shape: tuple[int, int]) -> None:
    model, array = make_model(widths=(4, 6, 8)), noise(*shape)
    p = predict(image_from_array(array, "YX"), model, PredictOptions(tile=16))
    expected = direct(model, array)
    assert shape[0] < 30 or expected.std() > 0.1
    np.testing.assert_allclose(values(p), expected, atol=1e-3)


@pytest.mark.parametrize("shape", [(2, 1, 1), (2, 30, 3), (9, 21, 34)])
def test_3d_is_the_direct_forward_pass(make_model: Any, anisotropic: dict[str, Any], shape: tuple[int, ...]) -> None:
    model, array = make_model(**anisotropic, classes=2, activation="softmax"), noise(*shape)
    p = predict(image_from_array(array, "ZYX"), model, PredictOptions(tile=16))
    np.testing.assert_allclose(values(p), direct(model, array), atol=1e-3)


def test_resampled_is_the_direct_forward_pass_on_the_resized_image(make_model: Any) -> None:
    """Set beside scipy: blurred and interpolated onto the model's grid, through the network, and back."""
    model = make_model(pixel_size={"Y": 1.0, "X": 1.0}, normalisation={"method": "fixed", "low": 0, "high": 255})
    array, (fy, fx) = noise(60, 50), (1.6, 0.7)
    p = predict(image_from_array(array, "YX", pixel_size={"Y": 1 / fy, "X": 1 / fx}), model)
    sizes = [-(-(n / f) // 1) for n, f in zip(array.shape, (fy, fx), strict=True)]
    grid = [np.arange(-8, 8 * ((n + 16) // 8)) for n in sizes]
    blurred = ndimage.gaussian_filter(array / 255, ((fy - 1) / 2, 0), mode="reflect", truncate=4)
    at = np.meshgrid(*((g + 0.5) * f - 0.5 for g, f in zip(grid, (fy, fx), strict=True)), indexing="ij")
    on_model = ndimage.map_coordinates(np.pad(blurred, 40, mode="symmetric"), [a + 40 for a in at], order=1)
    with torch.inference_mode():
        q = model.network(torch.from_numpy(on_model.astype(np.float32))[None, None])[0, 0].sigmoid().numpy()
    back = np.meshgrid(
        *((np.arange(n) + 0.5) / f - 0.5 + 8 for n, f in zip(array.shape, (fy, fx), strict=True)),
        indexing="ij",
    )
    expected = ndimage.map_coordinates(q, back, order=1)
    inner = (slice(12, -12),) * 2  # near the border the zero padding of the network lies elsewhere
    assert expected.std() > 0.1
    np.testing.assert_allclose(values(p)[0][inner], expected[inner], atol=1e-3)


@few
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 90)),
    tile=st.integers(16, 60),
    size=st.one_of(st.none(), st.tuples(st.floats(0.3, 3), st.floats(0.3, 3))),
    workers=st.integers(1, 2),
)
def test_2d_does_not_depend_on_the_tile(
    make_model: Any, shape: tuple[int, int], tile: int, size: tuple[float, float] | None, workers: int
) -> None:
    model = make_model(pixel_size={"Y": 1.0, "X": 1.0})
    sizes = dict(zip("YX", size, strict=True)) if size else None
    image = image_from_array(noise(*shape), "YX", pixel_size=sizes)
    assert_same(predict(image, model), predict(image, model, PredictOptions(tile=tile, workers=workers)))


@settings(few, max_examples=12)
@given(
    shape=st.tuples(st.integers(2, 20), st.integers(1, 50), st.integers(1, 50)),
    tile=st.integers(16, 40),
    size=st.one_of(st.none(), st.tuples(st.floats(1, 3), st.floats(0.5, 2), st.floats(0.5, 2))),
)
def test_3d_does_not_depend_on_the_tile(
    make_model: Any, anisotropic: dict[str, Any], shape: tuple[int, int, int], tile: int, size: tuple[float, ...] | None
) -> None:
    model = make_model(**anisotropic, pixel_size={"Z": 2.0, "Y": 1.0, "X": 1.0})
    image = image_from_array(noise(*shape), "ZYX", pixel_size=dict(zip("ZYX", size, strict=True)) if size else None)
    assert_same(predict(image, model), predict(image, model, PredictOptions(tile=tile)))


@few
@given(data=st.data())
def test_a_box_is_the_part_of_the_whole(make_model: Any, data: st.DataObject) -> None:
    model = make_model(pixel_size={"Y": 1.0, "X": 1.0})
    shape = (3, 2, 40, 50)
    image = image_from_array(noise(*shape), "TZYX", pixel_size={"Y": 0.7, "X": 1.0, "Z": 2.0})
    starts = [data.draw(st.integers(0, n - 1)) for n in shape]
    box = tuple(slice(s, data.draw(st.integers(s + 1, n))) for s, n in zip(starts, shape, strict=True))
    part = predict(image, model, box=box)
    whole = values(predict(image, model))[(slice(None), *box)]
    np.testing.assert_allclose(values(part), whole, atol=1e-3)
    assert part.translate == pytest.approx([b.start * s for b, s in zip(box, image.scale, strict=True)])
    assert part.shape == tuple(b.stop - b.start for b in box)


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("YX", (20, 30)), ("ZYX", (2, 20, 30)), ("TCYX", (2, 3, 20, 30)), ("RTCZYX", (2, 1, 2, 2, 20, 30)),
     ("CZTYX", (2, 2, 3, 20, 30)), ("YXC", (20, 30, 2)), ("ZYXS", (2, 20, 30, 3))],
)  # fmt: skip
def test_2d_runs_over_every_plane(make_model: Any, axes: str, shape: tuple[int, ...]) -> None:
    model, array = make_model(), noise(*shape)
    p = predict(image_from_array(array, axes), model, PredictOptions(channel=1 if "C" in axes else 0))
    assert p.axes == axes.replace("C", "").replace("S", "")
    if "C" in axes:
        array = array.take(1, axis=axes.index("C"))
    if "S" in axes:
        array = array @ np.array([0.299, 0.587, 0.114])
    planes = array.reshape(-1, 20, 30)
    expected = np.stack([direct(model, plane) for plane in planes], axis=1).reshape(1, *array.shape)
    np.testing.assert_allclose(values(p), expected, atol=1e-3)


def test_3d_runs_over_every_volume(make_model: Any, anisotropic: dict[str, Any]) -> None:
    model, array = make_model(**anisotropic), noise(2, 3, 5, 20, 24)
    p = predict(image_from_array(array, "TCZYX"), model, PredictOptions(channel=2))
    expected = np.stack([direct(model, volume) for volume in array[:, 2]], axis=1)
    np.testing.assert_allclose(values(p), expected, atol=1e-3)


def test_scale_units_and_origin_are_kept(make_model: Any) -> None:
    image = image_from_array(noise(2, 2, 9, 9), "TCYX", pixel_size={"T": 3.0, "Y": 0.5, "X": 0.25})
    p = predict(image, make_model())
    assert (p.axes, p.scale, p.translate) == ("TYX", (3.0, 0.5, 0.25), (0.0, 0.0, 0.0))
    assert p.units == ("second", "micrometer", "micrometer")
    assert p.done
    assert p.model_axes == "YX"
    assert p.shape == (2, 9, 9)
    assert p.probabilities.dtype == np.float16


def test_resampling_is_recorded_and_can_be_switched_off(make_model: Any) -> None:
    model = make_model(pixel_size={"Y": 1.0, "X": 1.0})
    image = image_from_array(noise(40, 40), "YX", pixel_size={"Y": 0.5, "X": 0.99})
    resampled, plain = predict(image, model), predict(image, model, PredictOptions(resample=False))
    assert resampled.provenance["model_pixel_in_image_pixels"] == {"Y": 2.0, "X": 1.0}
    assert plain.provenance["model_pixel_in_image_pixels"] == {"Y": 1.0, "X": 1.0}
    np.testing.assert_allclose(values(plain), direct(model, noise(40, 40)), atol=1e-3)
    assert abs(values(resampled) - values(plain)).max() > 0.1


@pytest.mark.parametrize(("sizes", "told"), [(None, "no pixel size"), ({"Y": 0.1, "X": 1.0}, "too far")])
def test_why_an_image_is_not_resampled_is_told(make_model: Any, sizes: dict[str, float] | None, told: str) -> None:
    model, job = make_model(pixel_size={"Y": 1.0, "X": 1.0}), Job()
    p = predict(image_from_array(noise(40, 40), "YX", pixel_size=sizes), model, job=job)
    assert any(told in note for note in job.notes)
    assert p.provenance["notes"] == job.notes
    np.testing.assert_allclose(values(p), direct(model, noise(40, 40)), atol=1e-3)


def test_provenance_names_what_was_run(make_model: Any) -> None:
    p = predict(image_from_array(noise(20, 20), "YX"), make_model(), PredictOptions(tile=16, backend="torch"))
    assert p.provenance["model"] == "tiny"
    assert p.provenance["engine"] == "torch on cpu"
    assert p.provenance["options"]["tile"] == 16
    assert p.provenance["tile"] == {"Y": 16, "X": 16}


def test_not_a_number_does_not_spread(make_model: Any) -> None:
    array = noise(20, 20).astype(np.float32)
    array[5, 5], array[9, 9] = np.nan, np.inf
    assert np.isfinite(values(predict(image_from_array(array, "YX"), make_model()))).all()


def test_probabilities_are_written_to_the_store(make_model: Any, tmp_path: Path) -> None:
    image = image_from_array(noise(2, 50, 40), "ZYX")
    store = tmp_path / "p.zarr"
    p = predict(image, make_model(), PredictOptions(tile=16), store=store)
    reopened = zarr.open_array(store, mode="r")
    assert (np.asarray(reopened) == np.asarray(p.probabilities)).all()
    assert reopened.chunks == (1, 1, 16, 16)
    assert np.asarray(reopened).std() > 0.05


def test_progress_counts_tiles(make_model: Any) -> None:
    heard: list[Progress] = []
    predict(image_from_array(noise(3, 40, 40), "ZYX"), make_model(), PredictOptions(tile=20), job=Job(heard.append))
    assert [(p.done, p.total) for p in heard] == [(i, 12) for i in range(13)]
    assert heard[0].message == "Predicting"


@pytest.mark.parametrize("workers", [1, 3])
def test_cancelling_keeps_what_is_done(make_model: Any, workers: int) -> None:
    model, array = make_model(), noise(20, 32, 32)

    def cancel_at_five(progress: Progress) -> None:
        if progress.done == 5:
            job.cancel()

    job = Job(cancel_at_five)
    p = predict(image_from_array(array, "ZYX"), model, PredictOptions(workers=workers), job=job)
    reached = values(p)[0].reshape(20, -1).any(axis=1)
    assert not p.done
    # Tiles that were in the pipeline are finished, no further one is begun.
    assert 5 <= reached.sum() <= 5 + workers + 1
    assert not reached[5 + 2 * (workers + 1) :].any()
    for z in np.flatnonzero(reached):
        np.testing.assert_allclose(values(p)[:, z], direct(model, array[z]), atol=1e-3)


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_a_cancelled_job_computes_nothing(make_model: Any, backend: str) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino")
    job = Job()
    job.cancel()
    p = predict(image_from_array(noise(30, 30), "YX"), make_model(), PredictOptions(backend=backend), job=job)
    assert not p.done
    assert not values(p).any()


def test_an_error_while_reading_reaches_the_caller(make_model: Any) -> None:
    import dask.array as da

    def fail(block: npt.NDArray[Any]) -> npt.NDArray[Any]:
        raise OSError("the disk has gone")

    broken = da.zeros((4, 30, 30), chunks=(1, 30, 30)).map_blocks(fail, dtype=float, meta=np.empty((0, 0, 0)))
    with pytest.raises(OSError, match="the disk has gone"):
        predict(image_from_array(broken, "ZYX"), make_model())


def test_3d_model_refuses_a_plane(make_model: Any, anisotropic: dict[str, Any]) -> None:
    with pytest.raises(IncompatibleImageError, match="3-D volume"):
        predict(image_from_array(noise(20, 20), "YX"), make_model(**anisotropic))


@pytest.mark.parametrize("box", [(slice(0, 5),), (slice(0, 0), slice(0, 5)), (slice(0, 9, 2), slice(0, 5))])
def test_a_wrong_box_is_refused(make_model: Any, box: tuple[slice, ...]) -> None:
    with pytest.raises(RecipeError, match="box"):
        predict(image_from_array(noise(20, 20), "YX"), make_model(), box=box)


def test_threads_of_torch_are_given_back(make_model: Any) -> None:
    def threads() -> int:
        # A thread that is new takes the number that was set last, in whatever thread.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.get_num_threads).result()

    before = torch.get_num_threads()
    torch.set_num_threads(before + 3)
    predict(image_from_array(noise(20, 20), "YX"), make_model(), PredictOptions(workers=7))
    assert threads() == torch.get_num_threads() == before + 3
    torch.set_num_threads(before)
