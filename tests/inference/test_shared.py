"""The threads of the network, where several images share them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from napari_bioseg.inference.shared import NetworkPool


def test_of_those_that_wait_the_earliest_image_goes_first() -> None:
    order: list[str] = []
    begun, free = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        free.wait(30)

    with NetworkPool(1) as pool, ThreadPoolExecutor(4) as callers:
        callers.submit(pool.run, 0, hold)
        assert begun.wait(30)
        waiting = [callers.submit(pool.run, rank, lambda r=rank: order.append(f"image {r}")) for rank in (2, 1, 0)]
        while pool._waiting.qsize() < 3:
            threading.Event().wait(0.01)
        free.set()
        for future in waiting:
            future.result(30)
    assert order == ["image 0", "image 1", "image 2"]


def test_an_error_is_raised_where_the_call_was_made_and_the_next_call_runs() -> None:
    with NetworkPool(1) as pool:
        with pytest.raises(ZeroDivisionError):
            pool.run(0, lambda: 1 / 0)
        assert pool.run(0, torch.get_num_threads) == pool.threads
