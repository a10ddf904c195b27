"""Which engine runs, and what happens when it cannot go on."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from napari_bioseg.core.errors import BiosegError, DeviceError
from napari_bioseg.core.job import Job
from napari_bioseg.inference.devices import is_out_of_memory
from napari_bioseg.inference.engine import Engine, TorchEngine
from napari_bioseg.inference.onnx_engine import OnnxEngine
from napari_bioseg.inference.options import PredictOptions
from napari_bioseg.inference.shared import Engines, NetworkPool, Turn
from napari_bioseg.inference.tiles import Span, Tile
from napari_bioseg.models.devices import choose_device, has_bfloat16
from napari_bioseg.models.model import Model
from napari_bioseg.models.onnx_network import OnnxNetwork

_SMALLEST = 32  # edge of a tile below which halving it saves no memory worth the while
_LARGE = 2**23  # model pixels from which OpenVINO's seconds of preparation pay

Work = Callable[["Runner", Tile], npt.NDArray[np.float16]]


class Runner:
    """Runs tiles by the engine that the options ask for; gives way to smaller tiles, then to the CPU.

    Parameters
    ----------
    model : Model
    options : PredictOptions
    job : Job
        Told of every way that was given.
    work : int
        Model pixels to compute in all.
    engines : Engines, optional
        Those that were made for this very model before; what is made here is added.
    turn : Turn, optional
        In threads that it shares with others; by default it has its own.

    Raises
    ------
    DeviceError
        The device asked for is not here.
    """

    def __init__(
        self,
        model: Model,
        options: PredictOptions,
        job: Job,
        work: int,
        engines: Engines | None = None,
        turn: Turn | None = None,
    ) -> None:
        self._model, self._options, self._job = model, options, job
        self._engines = engines or Engines()
        self.device = choose_device(options.device)
        self._own = turn is None
        self._turn = turn or Turn(NetworkPool(options.workers or 1))
        self.workers = self._turn.pool.workers
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._spent = threading.local()
        self._longest: int | None = None
        self._bfloat16 = options.precision == "bfloat16" and self._bfloat16_allowed()
        self.engine: Engine = self._first_engine(work)

    def __enter__(self) -> Self:
        if self._own:
            self._stack.enter_context(self._turn.pool)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stack.close()

    def run(self, tile: npt.NDArray[np.float32], crop: Sequence[Span]) -> npt.NDArray[np.float32]:
        """Return probabilities of one network input, see `Engine`; waits for its turn."""
        probabilities, seconds = self._turn.pool.run(self._turn.rank, lambda: self._timed(tile, crop))
        self._spent.seconds = getattr(self._spent, "seconds", 0.0) + seconds
        return probabilities

    def take_seconds(self) -> float:
        """Return how long the network worked for this thread since the last time it asked."""
        seconds: float = getattr(self._spent, "seconds", 0.0)
        self._spent.seconds = 0.0
        return seconds

    def compute(self, tile: Tile, work: Work) -> npt.NDArray[np.float16]:
        """Return ``work(self, tile)``, in parts put together where memory does not suffice for the whole.

        Raises
        ------
        DeviceError
            Memory does not even suffice for the smallest part, on the CPU.
        """
        if self._longest is not None and max(tile.shape) > self._longest:
            return self._compute_halves(tile, work)
        engine = self.engine
        try:
            return work(self, tile)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, BiosegError) or not is_out_of_memory(error):
                raise
            self._give_way(engine, max(tile.shape), error)
        return self.compute(tile, work)

    def _compute_halves(self, tile: Tile, work: Work) -> npt.NDArray[np.float16]:
        axis = tile.shape.index(max(tile.shape))
        parts = [self.compute(half, work) for half in tile.halves()]
        return np.concatenate(parts, axis=axis - len(tile.shape))

    def _give_way(self, failed: Engine, edge: int, error: BaseException) -> None:
        with self._lock:
            if failed is not self.engine:
                return
            if failed.device == "cuda":
                torch.cuda.empty_cache()
            if edge > _SMALLEST:
                smaller = -(-edge // 2)
                self._longest = min(smaller, self._longest or smaller)
                self._job.note(
                    f"memory of {failed.device} is used up by tiles of {edge} pixels: went on with {smaller}"
                )
            elif failed.device != "cpu":
                self.engine, self._longest = self._plain("cpu"), None
                self._job.note(f"memory of {failed.device} is used up by the smallest tiles: went on with the CPU")
            else:
                problem = f"memory is used up even by tiles of {edge} pixels"
                raise DeviceError(
                    self._model.card.name, problem, "Close other programs, or choose a smaller model"
                ) from error

    def _timed(self, tile: npt.NDArray[np.float32], crop: Sequence[Span]) -> tuple[npt.NDArray[np.float32], float]:
        began = time.perf_counter()
        return self._through_engine(tile, crop), time.perf_counter() - began

    def _through_engine(self, tile: npt.NDArray[np.float32], crop: Sequence[Span]) -> npt.NDArray[np.float32]:
        engine = self.engine
        try:
            return engine(tile, crop)
        except DeviceError as error:
            if isinstance(engine, OnnxEngine):  # nothing else runs an ONNX file
                raise
            with self._lock:
                if engine is self.engine:
                    self._job.note(f"{error}: went on with torch")
                    self.engine = self._plain(self.device)
        return self.engine(tile, crop)

    def _first_engine(self, work: int) -> Engine:
        if not self._wants_openvino(work):
            return self._plain(self.device)
        from napari_bioseg.inference.openvino_engine import OpenVinoEngine

        model, threads = self._model, self._turn.pool.threads

        def make() -> Engine:
            return OpenVinoEngine(
                model.network, model.card.output.to_apply,
                bfloat16=self._bfloat16, threads=threads, streams=self.workers,
            )  # fmt: skip

        try:
            return self._engines.get(("openvino", self._bfloat16, threads, self.workers), make)
        except BiosegError as error:
            self._job.note(f"{error}: went on with torch")
            return self._plain(self.device)

    def _wants_openvino(self, work: int) -> bool:
        if self.device != "cpu" or self._options.backend == "torch" or isinstance(self._model.network, OnnxNetwork):
            return False
        return self._options.backend == "openvino" or (
            work >= _LARGE and importlib.util.find_spec("openvino") is not None
        )

    def _plain(self, device: str) -> Engine:
        """Return what runs this network anywhere."""
        network, activation = self._model.network, self._model.card.output.to_apply
        if isinstance(network, OnnxNetwork):
            return OnnxEngine(network, device, activation)
        bfloat16 = self._bfloat16 and has_bfloat16(device)
        key = ("torch", device, bfloat16)
        engine = self._engines.get(key, lambda: TorchEngine(network, device, activation, bfloat16=bfloat16))
        if isinstance(engine, TorchEngine):
            engine.watch(self._job.check)
        return engine

    def _bfloat16_allowed(self) -> bool:
        if isinstance(self._model.network, OnnxNetwork):
            self._job.note("onnxruntime computes in float32: went on with that")
            return False
        if has_bfloat16(self.device):
            return True
        self._job.note(f"bfloat16 is slow on this {self.device}: went on with float32")
        return False
