"""Figures of the machine."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace

import pytest

from napari_bioseg.runs.system import Machine


def test_cpu_and_memory_are_those_of_now() -> None:
    machine = Machine()
    busy = threading.Event()
    threading.Timer(0.2, busy.set).start()
    while not busy.is_set():  # at work, so that the CPU is
        pass
    figures = machine.figures()
    assert 0 < figures["cpu_utilization_percentage"] <= 100
    assert figures["system_memory_usage_megabytes"] > 10
    assert 0 < figures["system_memory_usage_percentage"] < 100


class NVMLError(Exception):
    """As the library of NVIDIA calls what goes wrong."""


def _library(**changes: object) -> SimpleNamespace:
    """Two cards as nvidia-ml-py tells of them: a stand-in for hardware that is not here."""
    known = {
        "NVMLError": NVMLError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda i: i,
        "nvmlDeviceGetMemoryInfo": lambda i: SimpleNamespace(used=(i + 1) * 1e9, total=8e9),
        "nvmlDeviceGetUtilizationRates": lambda i: SimpleNamespace(gpu=10 * i),
    }
    return SimpleNamespace(**(known | changes))


def test_each_card_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", _library())
    figures = Machine().figures()
    assert (figures["gpu_1_utilization_percentage"], figures["gpu_1_memory_usage_megabytes"]) == (10, 2000)
    assert figures["gpu_0_memory_usage_percentage"] == 12.5


def _fails(*_: object) -> None:
    raise NVMLError


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetUtilizationRates"])
def test_a_library_that_finds_no_card_costs_nothing(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", _library(**{call: _fails}))
    assert not any(name.startswith("gpu") for name in Machine().figures())


def test_without_the_library_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert set(Machine().figures()) == {
        "cpu_utilization_percentage", "system_memory_usage_megabytes", "system_memory_usage_percentage",
    }  # fmt: skip
