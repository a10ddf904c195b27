"""One tile through a network that is an ONNX file, with onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_bioseg.core.errors import DeviceError
from napari_bioseg.inference.engine import activated
from napari_bioseg.inference.tiles import Span
from napari_bioseg.models.onnx_network import OnnxNetwork, has_cuda


class OnnxEngine:
    """Runs an ONNX file; several threads may call it.

    Parameters
    ----------
    network : OnnxNetwork
    device : str
        The CPU is taken where onnxruntime does not have it.
    activation : str
        ``"sigmoid"``, ``"softmax"`` or ``"none"``.
    """

    name = "onnxruntime"

    def __init__(self, network: OnnxNetwork, device: str, activation: str) -> None:
        self.device = "cuda" if device == "cuda" and has_cuda() else "cpu"
        self._network, self._activation = network, activation

    def __call__(self, tile: npt.NDArray[np.float32], crop: Sequence[Span]) -> npt.NDArray[np.float32]:
        """Return probabilities, see `Engine`.

        Raises
        ------
        DeviceError
            onnxruntime failed.
        MemoryError
            It did for want of memory.
        """
        try:
            given = self._network.run(tile[None, None], self.device)
        except ValueError as error:
            if "alloc" in str(error).lower():
                raise MemoryError(str(error)) from error
            problem = f"failed on a tile of {tile.shape} ({error})"
            raise DeviceError("onnxruntime", problem, "Check halo and stride on the card of the model") from error
        part: tuple[Any, ...] = (0, slice(None), *(slice(*c) for c in crop))
        wanted = np.array(given[part], dtype=np.float32)
        return activated(torch.from_numpy(wanted), self._activation).numpy()
