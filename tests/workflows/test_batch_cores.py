"""Workers on one computer share its cores; on a real cluster of dask."""

from __future__ import annotations

import pytest

from napari_bioseg.inference.devices import at_most_cores, cores
from napari_bioseg.inference.shared import NetworkPool
from napari_bioseg.workflows.batch_cluster import _on_worker
from napari_bioseg.workflows.batch_cores import Place, _place, divided, shares

distributed = pytest.importorskip("distributed")


def _of_pool(workers: int) -> tuple[int, int]:
    return cores(), NetworkPool(workers).threads


@pytest.mark.parametrize(
    ("places", "parts"),
    [
        ([Place("a", (0, 1, 2, 3), 0)] * 2, [2, 2]),
        ([Place("a", (0, 1), 0), Place("b", (0, 1), 0)], [2, 2]),
        ([Place("a", (0, 1), 0), Place("a", (2, 3, 4), 0)], [2, 3]),
        ([Place("a", (0, 1), 0)] * 3, [1, 1, 1]),
        ([Place("a", (0, 1, 2, 3), 3), Place("a", (0, 1, 2, 3), 0)], [3, 2]),
    ],
    ids=["share", "two computers", "bound", "more than cores", "wished"],
)
def test_cores_are_divided_among_those_that_may_use_them(places: list[Place], parts: list[int]) -> None:
    assert [*divided(dict(enumerate(places))).values()] == parts


def test_a_job_of_slurm_that_is_not_bound_takes_the_cores_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    alone = _place()
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", str(len(alone.cores)))
    assert _place() == alone
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert divided({"other": alone, "job": _place()}) == {"other": len(alone.cores), "job": 1}


def test_a_bound_holds_for_the_networks_that_start_below_it() -> None:
    with at_most_cores(1):
        assert _of_pool(1) == (1, 1)
        assert _of_pool(2) == (1, 1)
    assert _of_pool(1)[0] == cores()


def test_two_workers_on_one_computer_take_half_of_it_each() -> None:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        workers = [*client.scheduler_info(n_workers=-1)["workers"]]
        known = shares(client)
        assert known == dict.fromkeys(workers, max(1, cores() // 2))
        for worker in workers:
            found = client.submit(_on_worker, known, _of_pool, 1, workers=[worker], pure=False).result()
            assert found == (known[worker],) * 2
            later = client.submit(_on_worker, {"another": 1}, _of_pool, 1, workers=[worker], pure=False).result()
            assert later == (1, 1)
