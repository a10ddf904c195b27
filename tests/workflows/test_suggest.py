"""Where next: what is unsure and unlike what is verified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_bioseg.core import Job, image_from_array
from napari_bioseg.core.job import Progress
from napari_bioseg.inference import predict
from napari_bioseg.models import load_model
from napari_bioseg.postprocess.uncertainty import Uncertainty, UncertaintyWriter, measure_uncertainty
from napari_bioseg.workflows.describe import Features, describe
from napari_bioseg.workflows.suggest import State, suggest


def uncertain(means: list[float], axes: str = "ZYX") -> Uncertainty:
    """A stack of planes of 2 × 2 pixels, each of one value."""
    writer = UncertaintyWriter((len(means), 2, 2), (1, 2, 2), axes)
    for z, mean in enumerate(means):
        writer.write((slice(z, z + 1), slice(0, 2), slice(0, 2)), np.full((1, 2, 2), mean, np.float32))
    return writer.result()


def features(*vectors: list[float], origin: int = 0) -> Features:
    return Features(np.array(vectors, np.float32)[:, None, None], (origin,))


def verified(states: Mapping[int, State]) -> Callable[..., State]:
    return lambda plane, _: states.get(plane[0], "none")


LINE = features([0.0], [1.0], [2.0], [3.0], [10.0])


def test_before_anything_is_verified_the_most_unsure_comes_first() -> None:
    first, second, *_ = suggest(uncertain([0.1, 0.6, 0.5, 0.2, 0.3]), LINE, verified({}))
    assert first.plane == (1,)
    assert first.box == (slice(0, 2), slice(0, 2))
    assert (first.score, first.uncertainty, first.novelty) == pytest.approx((0.6, 0.6, 1.0))
    assert first.reason == "unsure on 100 % of slice 1; nothing is verified yet"
    assert second.plane == (4,)


@pytest.mark.parametrize(("share", "told"), [(0, "0"), (0.012, "1.2"), (0.0999, "10"), (0.126, "13"), (1, "100")])
def test_the_share_that_is_unsure_is_told_in_percent(share: float, told: str) -> None:
    writer = UncertaintyWriter((1, 1000), (1, 1000), "YX", level=0.5)
    writer.write((slice(0, 1), slice(0, 1000)), (np.arange(1000)[None] < 1000 * share).astype(np.float32))
    (only,) = suggest(writer.result(), Features(np.zeros((1, 1, 1), np.float32), ()), lambda *_: "none")
    assert only.reason.startswith(f"unsure on {told} % of the plane")


def test_score_is_uncertainty_times_distance_to_the_nearest_verified_one() -> None:
    found = suggest(uncertain([0.4, 0.4, 0.4, 0.4, 0.4]), LINE, verified({0: "all", 3: "all"}), count=1)
    # The mean of all is 3.2, the furthest 6.8 from it: a ball around all has a diameter of 13.6.
    assert [s.plane for s in found] == [(4,)]
    assert found[0].novelty == pytest.approx(7 / 13.6)
    assert found[0].score == pytest.approx(0.4 * 7 / 13.6)
    assert found[0].reason == "unsure on 0 % of slice 4; novelty 0.51 beside the 2 verified (nearest: slice 3)"


def test_a_duplicate_of_a_verified_plane_has_no_novelty() -> None:
    same = features([1.0, 2.0], [1.0, 2.0], [4.0, 6.0])
    found = suggest(uncertain([0.5, 0.9, 0.1]), same, verified({0: "all"}))
    assert [s.plane for s in found] == [(2,), (1,)]
    assert found[1].novelty == found[1].score == 0


@pytest.mark.parametrize("value", [0.1, 1e6])
def test_planes_that_are_alike_but_for_rounding_are_ranked_by_uncertainty(value: float) -> None:
    alike = Features(np.full((3, 1, 1, 3), value, np.float32), (0,))
    alike.values[1] = np.nextafter(alike.values[1], np.float32(2e6))
    found = suggest(uncertain([0.5, 0.3, 0.9]), alike, verified({0: "all"}))
    assert [s.plane for s in found] == [(2,), (1,)]
    assert [s.novelty for s in found] == [0, 0]


@settings(deadline=None)
@given(data=st.data(), n=st.integers(1, 8))
def test_no_verified_plane_is_suggested_and_those_verified_in_part_come_last(data: st.DataObject, n: int) -> None:
    states = data.draw(st.lists(st.sampled_from(["none", "part", "all"]), min_size=n, max_size=n))
    means = data.draw(st.lists(st.floats(0, 1), min_size=n, max_size=n))
    vectors = data.draw(st.lists(st.lists(st.floats(-5, 5), min_size=2, max_size=2), min_size=n, max_size=n))
    found = suggest(uncertain(means), features(*vectors), verified(dict(enumerate(states))))
    assert sorted(s.plane[0] for s in found) == [i for i in range(n) if states[i] != "all"]
    order = [states[s.plane[0]] for s in found]
    assert order == sorted(order)
    assert all(0 <= s.novelty <= 1 and 0 <= s.score <= s.uncertainty <= 1 for s in found)


def test_each_suggestion_counts_as_seen_for_those_after_it() -> None:
    # 3 and 4 are alike and the most unsure: after one of them, something else.
    pair = features([0.0], [5.0], [0.1], [9.0], [9.1])
    found = suggest(uncertain([0.5, 0.5, 0.5, 0.8, 0.81]), pair, verified({0: "all"}))
    assert [s.plane[0] for s in found] == [4, 1, 3, 2]
    assert "1 verified and 1 suggested before (nearest: slice 4)" in found[1].reason


def test_nearest_is_right_among_many_verified_ones() -> None:
    vectors = np.random.default_rng(0).standard_normal((700, 3)).astype(np.float32)
    known = set(range(0, 700, 2))
    stack = Features(vectors[:, None, None], (0,))
    best, *_ = suggest(uncertain([0.5] * 700), stack, verified(dict.fromkeys(known, "all")), count=1)
    away = {i: min((np.linalg.norm(vectors[i] - vectors[k]), k) for k in known) for i in range(1, 700, 2)}
    furthest = max(away, key=lambda i: away[i][0])
    assert best.plane == (furthest,)
    assert f"(nearest: slice {away[furthest][1]})" in best.reason


def test_no_more_than_asked_for() -> None:
    assert len(suggest(uncertain([0.5] * 5), LINE, verified({}), count=2)) == 2
    assert suggest(uncertain([0.5] * 5), LINE, verified(dict.fromkeys(range(5), "all"))) == []


def test_large_planes_are_suggested_by_the_tile_and_named_as_in_the_image() -> None:
    writer = UncertaintyWriter((2, 1030, 4), (1, 1030, 4), "TYX")
    values = np.zeros((2, 1030, 4), np.float32)
    values[1, 344:688] = 0.7
    writer.write((slice(0, 2), slice(0, 1030), slice(0, 4)), values)
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1)
    seen: list[tuple[tuple[int, ...], tuple[slice, slice]]] = []

    def state(plane: tuple[int, ...], box: tuple[slice, slice]) -> State:
        seen.append((plane, box))
        return "all" if plane == (1,) and box[0].start == 688 else "none"

    found = suggest(writer.result(), Features(vectors, (5,)), state)
    assert (found[0].plane, found[0].box) == ((1,), (slice(344, 688), slice(0, 4)))
    assert "% of Y=344:688, X=0:4 of frame 6" in found[0].reason
    assert "(nearest: Y=688:1030, X=0:4 of frame 6)" in found[0].reason
    assert len(found) == 5
    assert len(seen) == 6


@pytest.mark.usefixtures("tiny_zoo")
def test_a_single_plane_has_one_suggestion() -> None:
    image = image_from_array(np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8), "YX")
    model = load_model("tiny2d")
    prediction = predict(image, model)
    (only,) = suggest(measure_uncertainty(prediction), describe(prediction, image, model), lambda *_: "none")
    assert only.plane == ()
    assert only.box == (slice(0, 20), slice(0, 30))
    assert "of the plane; nothing is verified yet" in only.reason


@pytest.mark.usefixtures("tiny_zoo")
def test_a_copy_of_a_verified_slice_of_an_image_comes_last() -> None:
    stack = np.random.default_rng(0).integers(0, 255, (5, 24, 40), np.uint8)
    stack[4] = stack[1]
    image, model = image_from_array(stack, "ZYX"), load_model("tiny2d")
    prediction = predict(image, model)
    found = suggest(measure_uncertainty(prediction), describe(prediction, image, model), verified({1: "all"}))
    assert found[-1].plane == (4,)
    assert found[-1].novelty < 1e-6 < found[-2].novelty


@pytest.mark.usefixtures("tiny_zoo")
def test_features_are_of_the_region_that_was_predicted_and_kept_beside_it(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (5, 24, 40), np.uint8)
    image, model, file = image_from_array(stack, "ZYX"), load_model("tiny2d"), tmp_path / "features.npz"
    whole = describe(predict(image, model), image, model)
    part = predict(image, model, box=(slice(2, 5), slice(0, 24), slice(0, 40)))
    heard: list[Progress] = []
    first = describe(part, image, model, file=file, job=Job(heard.append))
    assert first.origin == (2,)
    assert (first.values == whole.values[2:]).all()
    assert heard
    heard.clear()
    again = describe(part, image, model, file=file, job=Job(heard.append))
    assert not heard
    assert (again.values == first.values).all()
    # Of another prediction, or damaged: made anew.
    assert len(describe(predict(image, model), image, model, file=file).values) == 5
    file.write_bytes(file.read_bytes()[:100])
    assert (describe(part, image, model, file=file).values == first.values).all()
