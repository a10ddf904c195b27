"""One tile through the network with OpenVINO, on the CPU. An extra: ``pip install napari-bioseg[openvino]``."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_bioseg.core.errors import DeviceError, MissingDependencyError
from napari_bioseg.inference.engine import activated
from napari_bioseg.inference.tiles import Span
from napari_bioseg.models.network import Network

_FIX = "Use the backend torch"


class OpenVinoEngine:
    """Runs a network by OpenVINO; each thread that calls it gets a request of its own.

    Parameters
    ----------
    network : Network
        On the CPU, in eval mode.
    activation : str
        ``"sigmoid"`` or ``"softmax"``.
    bfloat16 : bool
        Whether to compute in bfloat16. Float32 is asked for otherwise: left to itself OpenVINO takes
        bfloat16 where the processor has it.
    threads : int
        Threads of one request.
    streams : int
        Requests at once.

    Raises
    ------
    MissingDependencyError
        OpenVINO is not installed.
    DeviceError
        OpenVINO cannot convert or run this network on this machine.
    """

    name, device = "openvino", "cpu"

    def __init__(
        self, network: Network, activation: str, *, bfloat16: bool = False, threads: int = 1, streams: int = 1
    ) -> None:
        self._activation = activation
        self._local = threading.local()
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": threads * streams,
            "NUM_STREAMS": streams,
        }
        try:
            import openvino

            example = torch.zeros(1, 1, *(2 * s for s in network.stride))
            converted = openvino.convert_model(network, example_input=example)
            self._compiled: Any = openvino.Core().compile_model(converted, "CPU", settings)
        except ImportError as error:
            raise MissingDependencyError(
                "OpenVINO", "is not installed", "pip install 'napari-bioseg[openvino]'"
            ) from error
        except Exception as error:
            raise DeviceError("OpenVINO", f"cannot run this network ({_line(error)})", _FIX) from error

    def __call__(self, tile: npt.NDArray[np.float32], crop: Sequence[Span]) -> npt.NDArray[np.float32]:
        """Return probabilities, see `Engine`.

        Raises
        ------
        DeviceError
            OpenVINO failed, for want of memory or otherwise.
        """
        try:
            if not hasattr(self._local, "request"):
                self._local.request = self._compiled.create_infer_request()
            logits = self._local.request.infer({0: tile[None, None]}, share_inputs=True, share_outputs=True)[0]
        except Exception as error:
            raise DeviceError("OpenVINO", f"failed on a tile of {tile.shape} ({_line(error)})", _FIX) from error
        wanted = np.array(logits[(0, slice(None), *(slice(*c) for c in crop))], dtype=np.float32)
        return activated(torch.from_numpy(wanted), self._activation).numpy()


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
