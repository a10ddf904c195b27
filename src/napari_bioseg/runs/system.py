"""What the machine is doing, for lines of metrics, by the names that MLflow gives these figures."""

from __future__ import annotations

from typing import Any

import psutil


class Machine:
    """Figures of the machine since the last time that one asked; asked from one thread."""

    def __init__(self) -> None:
        psutil.cpu_percent()  # from here on
        self._gpus = _open_gpus()

    def figures(self) -> dict[str, float]:
        """Return CPU and memory in use, and of each NVIDIA card where nvidia-ml-py is installed.

        Returns
        -------
        dict of str to float
            Percent, and megabytes of 10⁶ bytes; the names say which.
        """
        memory = psutil.virtual_memory()
        return {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": round(memory.used / 1e6, 1),
            "system_memory_usage_percentage": memory.percent,
            **_gpu_figures(self._gpus),
        }


def _open_gpus() -> Any:
    """Return NVIDIA's library once it is at work; None where there is no card, or no library."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _gpu_figures(library: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    if library is None:
        return found
    try:
        for i in range(library.nvmlDeviceGetCount()):
            card = library.nvmlDeviceGetHandleByIndex(i)
            memory = library.nvmlDeviceGetMemoryInfo(card)
            found[f"gpu_{i}_utilization_percentage"] = library.nvmlDeviceGetUtilizationRates(card).gpu
            found[f"gpu_{i}_memory_usage_megabytes"] = round(memory.used / 1e6, 1)
            found[f"gpu_{i}_memory_usage_percentage"] = round(100 * memory.used / memory.total, 1)
    except library.NVMLError:
        # A card may have gone, or not tell all of it; what is known stays.
        return found
    return found
