"""Memory of the devices, and the threads of the processor."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from napari_bioseg.models.devices import free_memory

_SHARE = 0.25  # of the free memory
_MOST_BYTES = 3 * 2**30
_MOST_CORES: ContextVar[int] = ContextVar("most_cores", default=0)  # 0: all


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of a device or of the machine is used up."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def free_bytes(device: str) -> int:
    """Return how much memory a prediction may take for its activations."""
    free = free_memory(device)
    return int(2 * _SHARE * free) if device == "cuda" else int(min(_SHARE * free, _MOST_BYTES))


def return_memory() -> None:
    """Give freed memory back to the system, where the C library is one that keeps it (glibc).

    Tiles at the border have other shapes than those inside, so that what the layers of one leave behind does not
    fit the next: without this the peak is nearly twice as high.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def core_numbers() -> tuple[int, ...]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def cores() -> int:
    """Return how many cores a network that is started here may use: those of this process, or `at_most_cores`."""
    return min(len(core_numbers()), _MOST_CORES.get() or sys.maxsize)


@contextmanager
def at_most_cores(n: int) -> Iterator[None]:
    """Let networks that this thread starts use `n` cores at most, for as long as the block lasts."""
    token = _MOST_CORES.set(n)
    try:
        yield
    finally:
        _MOST_CORES.reset(token)


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Let torch use `n` threads an operation, for as long as the block lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
