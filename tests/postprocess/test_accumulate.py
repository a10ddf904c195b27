"""The running mean over passes, and where they disagree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from napari_bioseg.core.errors import Cancelled
from napari_bioseg.core.job import Job
from napari_bioseg.postprocess.accumulate import Accumulator
from napari_bioseg.postprocess.uncertainty import FULL, entropy

SHAPE = (2, 3, 9, 11)


def passes(n: int) -> npt.NDArray[np.float16]:
    return np.random.default_rng(0).random((n, *SHAPE)).astype(np.float16)


def accumulated(maps: npt.NDArray[np.float16], block: int = 50) -> Accumulator:
    means = Accumulator(SHAPE, (1, 1, 4, 5), "ZYX", "sigmoid", block=block)
    for p in maps:
        means.add(lambda box, p=p: p[(slice(None), *box)], Job())
    return means


@pytest.mark.parametrize("block", [1, 50, 10_000])
def test_the_mean_is_that_of_all_passes_and_disagreement_the_mutual_information(block: int) -> None:
    maps = passes(5)
    mean, disagreement = accumulated(maps, block).result()
    expected = maps.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(np.asarray(mean), expected, atol=1e-3)
    information = entropy(expected, "sigmoid") - np.mean([entropy(p, "sigmoid") for p in maps], axis=0)
    assert information.min() > 0
    np.testing.assert_allclose(np.asarray(disagreement.values) / FULL, information, atol=0.51 / FULL)
    np.testing.assert_allclose(disagreement.plane_means, information.mean(axis=(1, 2)), atol=1e-6)


def test_passes_that_say_the_same_do_not_disagree_however_unsure_they_are() -> None:
    _, disagreement = accumulated(np.repeat(passes(1), 7, axis=0)).result()
    assert disagreement.means.max() == 0


def test_a_stop_in_the_middle_of_a_pass_leaves_the_mean_of_what_came() -> None:
    maps, job = passes(2), Job()
    means = accumulated(maps[:1])

    def read(box: tuple[slice, ...]) -> npt.NDArray[np.float16]:
        if box[0].start == 1:
            job.cancel()
        return maps[(1, slice(None), *box)]

    with pytest.raises(Cancelled):
        means.add(read, job)
    found = np.asarray(means.result()[0]).astype(np.float32)
    both, one = maps.astype(np.float32).mean(axis=0), maps[0].astype(np.float32)
    np.testing.assert_allclose(found[:, 0], both[:, 0], atol=1e-3)
    np.testing.assert_allclose(found[:, 2], one[:, 2], atol=1e-3)
