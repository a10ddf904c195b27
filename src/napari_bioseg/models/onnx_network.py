"""Networks that are ONNX files, run by onnxruntime. An extra: ``pip install napari-bioseg[onnx]``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_bioseg.core.errors import BrokenModelError, MissingDependencyError, RecipeError
from napari_bioseg.models.card import ONNX
from napari_bioseg.models.network import Network
from napari_bioseg.models.registry import ARCHITECTURES

_FLOAT = "tensor(float)"
_PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


@ARCHITECTURES.register(ONNX)
class OnnxNetwork(Network):
    """An ONNX file; it cannot be trained.

    Parameters
    ----------
    halo, stride : sequence of int
        As of `Network`, along each axis that it sees.
    exact : bool
        Whether tiles were seen to give what the whole image gives.
    """

    bytes_per_pixel = 2048
    """About what one input pixel takes: a file does not tell. So much do 128 channels of the finest level take."""

    def __init__(self, *, halo: Sequence[int], stride: Sequence[int], exact: bool = False) -> None:
        super().__init__()
        self._halo, self._stride = tuple(map(int, halo)), tuple(map(int, stride))
        if len(self._halo) != len(self._stride) or len(self._halo) not in (2, 3):
            raise ValueError("halo and stride are 2 or 3 numbers each, one for an axis")
        if min(self._halo) < 0 or min(self._stride) < 1:
            raise ValueError("halo is 0 at least, stride 1")
        self.exact = exact
        self.data, self._subject = b"", "ONNX network"
        self._sessions: dict[str, Any] = {}

    @property
    def stride(self) -> tuple[int, ...]:
        """As the card says."""
        return self._stride

    @property
    def halo(self) -> tuple[int, ...]:
        """As the card says."""
        return self._halo

    def load(self, file: Path) -> None:
        """Take the network from a file, which must take and give what the engine can use.

        Raises
        ------
        BrokenModelError
            It is no ONNX file, needs other files, or takes or gives something else.
        MissingDependencyError
            onnxruntime and onnx are not installed.
        """
        self.data, self._subject = file.read_bytes(), file.name
        _check_alone(self.data, file.name)
        self._check(self.session("cpu"))

    def session(self, device: str) -> Any:
        """Return what runs the file on ``"cpu"`` or ``"cuda"``.

        Raises
        ------
        BrokenModelError
            onnxruntime cannot run it.
        RecipeError
            No file was loaded: it stands in a recipe of a training.
        MissingDependencyError
            onnxruntime is not installed.
        """
        if not self.data:
            problem = "cannot be trained: its weights are part of a file"
            raise RecipeError(f"architecture {ONNX!r}", problem, "Choose another architecture")
        if device not in self._sessions:
            self._sessions[device] = self._start(device)
        return self._sessions[device]

    def run(self, grey: npt.NDArray[np.float32], device: str = "cpu") -> npt.NDArray[np.float32]:
        """Return ``(N, K, *space)`` of ``(N, 1, *space)``.

        Raises
        ------
        ValueError
            onnxruntime failed: it cannot take such sides, or is out of memory.
        """
        session = self.session(device)
        try:
            given: npt.NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: grey})[0]
        except Exception as error:
            raise ValueError(_line(error)) from error
        return given

    def with_reach(self, halo: Sequence[int], stride: Sequence[int], exact: bool) -> OnnxNetwork:
        """Return the same file with another halo and stride; what runs it is shared."""
        other = OnnxNetwork(halo=halo, stride=stride, exact=exact)
        other.data, other._subject, other._sessions = self.data, self._subject, self._sessions
        return other

    def forward(self, x: Tensor) -> Tensor:
        """Return what the file gives, on the device of `x`."""
        return torch.from_numpy(self.run(x.float().cpu().numpy())).to(x.device)

    def __deepcopy__(self, memo: dict[int, Any]) -> OnnxNetwork:
        # What runs it can be shared, and cannot be copied.
        copied = self.with_reach(self._halo, self._stride, self.exact)
        memo[id(self)] = copied
        return copied

    def _start(self, device: str) -> Any:
        runtime = _module("onnxruntime")
        options = runtime.SessionOptions()
        options.log_severity_level = 4  # errors come as exceptions
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            return runtime.InferenceSession(self.data, options, providers=[_PROVIDERS[device]])
        except Exception as error:
            problem = f"cannot be run by onnxruntime ({_line(error)})"
            raise BrokenModelError(self._subject, problem, "Export it again, with standard operators") from error

    def _check(self, session: Any) -> None:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            problem = f"has {len(inputs)} inputs and {len(outputs)} outputs"
            raise BrokenModelError(self._subject, problem, "Export a network with one of each")
        shape, dims = inputs[0].shape, len(self._stride)
        if {inputs[0].type, outputs[0].type} != {_FLOAT} or len(shape) != dims + 2 or len(outputs[0].shape) != dims + 2:
            problem = f"takes {inputs[0].type} {shape} and gives {outputs[0].type} {outputs[0].shape}"
            wanted = f"Export it for float32 (batch, channel and {dims} axes of space), as its card says"
            raise BrokenModelError(self._subject, problem, wanted)
        if isinstance(shape[1], int) and shape[1] != 1:
            problem = f"takes {shape[1]} channels at once, which is not supported"
            raise BrokenModelError(self._subject, problem, "Choose a model of one channel")
        if any(isinstance(n, int) for n in shape[2:]):
            problem = f"takes images of {' x '.join(map(str, shape[2:]))} pixels only"
            raise BrokenModelError(self._subject, problem, "Export it with dynamic axes of space")


def has_cuda() -> bool:
    """Whether onnxruntime can run on a graphics card here."""
    return _PROVIDERS["cuda"] in _module("onnxruntime").get_available_providers()


def opset_of(file: Path) -> int:
    """Return the version of the standard operators that an ONNX file is written with."""
    known = _module("onnx").load_model(file, load_external_data=False).opset_import
    return next((int(entry.version) for entry in known if entry.domain in ("", "ai.onnx")), 0)


def _check_alone(data: bytes, subject: str) -> None:
    """Refuse a file that would have others read: their paths may lead anywhere."""
    onnx = _module("onnx")
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:
        raise BrokenModelError(subject, f"is no ONNX file ({_line(error)})", "Ask for the file again") from error
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    tensors = [*model.graph.initializer, *_tensors(nodes)]
    if any(onnx.external_data_helper.uses_external_data(tensor) for tensor in tensors):
        raise BrokenModelError(subject, "keeps its weights in another file", "Export it with external_data=False")


def _tensors(nodes: Sequence[Any]) -> Iterator[Any]:
    """Yield the tensors that nodes hold, and those of the graphs in them."""
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for graph in (attribute.g, *attribute.graphs):
                yield from graph.initializer
                yield from _tensors(graph.node)


def _module(name: str) -> Any:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingDependencyError(
            "ONNX", "onnx and onnxruntime are not installed", "pip install 'napari-bioseg[onnx]'"
        ) from error
    return {"onnx": onnx, "onnxruntime": onnxruntime}[name]


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
