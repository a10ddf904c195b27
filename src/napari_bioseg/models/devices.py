"""Which device a network runs on, how much memory is free there, and whether bfloat16 is fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import psutil
import torch

from napari_bioseg.core.errors import DeviceError

_SAFE_EDGES, _SAFE_PLANES = (80, 160), 12


def choose_device(wanted: Literal["auto", "cpu", "cuda", "mps"]) -> str:
    """Return ``"cuda"``, ``"mps"`` or ``"cpu"``.

    Raises
    ------
    DeviceError
        The device asked for is not here.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, here in there.items() if here)
    if not there[wanted]:
        found = ", ".join(name for name, here in there.items() if here)
        raise DeviceError(f"device {wanted!r}", "is not available on this machine", f"Use auto, or one of: {found}")
    return wanted


def free_memory(device: str) -> int:
    """Return how many bytes are free on the GPU, or for the processor and for ``"mps"`` in the machine."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)


def has_bfloat16(device: str) -> bool:
    """Whether bfloat16 is fast here: without AVX-512 BF16 or AMX it is slower than float32, up to a hundred times."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # oneDNN says yes wherever it can imitate bfloat16, on any AVX-512; the processor alone says what it computes in.
    able = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return device == "cpu" and able and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def trains_in_bfloat16(device: str, patch: Sequence[int]) -> bool:
    """Whether a network can be trained in bfloat16 here, on patches of ``(Z,) Y, X`` pixels.

    On a processor with AMX, oneDNN writes beyond its memory when it computes the gradients of 3-D convolutions over few
    planes that are large (``brgconv_bwd_w``, torch 2.13), which ends the process. Measured safe, with one to four
    threads, are planes of up to 80 pixels a side, and of up to 160 where there are at least 12 of them: pooled once, in
    all axes or in the plane alone, they have 80. Anything else is trained in float32, 2.2 times as slowly.
    """
    if device == "cpu" and len(patch) == 3 and torch.cpu._is_amx_tile_supported():
        return has_bfloat16(device) and safe_for_amx(patch)
    return has_bfloat16(device)


def safe_for_amx(patch: Sequence[int]) -> bool:
    """Whether oneDNN's AMX gradients stay in their memory, on patches of ``Z, Y, X`` pixels: `trains_in_bfloat16`."""
    planes, edge = patch[0], max(patch[1:])
    return edge <= _SAFE_EDGES[planes >= _SAFE_PLANES]


def memory_used(device: str) -> int:
    """Return the bytes that this process holds now: of the graphics card where it computes there, else of the RAM."""
    if device == "cuda":
        return int(torch.cuda.memory_allocated())
    if device == "mps":
        return int(torch.mps.current_allocated_memory())
    return int(psutil.Process().memory_info().rss)
