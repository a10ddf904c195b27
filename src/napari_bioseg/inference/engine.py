"""One tile through the network with torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_bioseg.inference.devices import return_memory
from napari_bioseg.inference.tiles import Span
from napari_bioseg.models.network import Network
from napari_bioseg.models.onnx_network import OnnxNetwork

_BYTES: WeakKeyDictionary[Network, int] = WeakKeyDictionary()
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Engine(Protocol):
    """What runs a network."""

    @property
    def name(self) -> str:
        """For the provenance, e.g. ``"torch"``."""

    @property
    def device(self) -> str:
        """``"cpu"``, ``"cuda"`` or ``"mps"``."""

    def __call__(self, tile: npt.NDArray[np.float32], crop: Sequence[Span]) -> npt.NDArray[np.float32]:
        """Return probabilities.

        Parameters
        ----------
        tile : ndarray of float32
            Normalised grey values ``(*space)``.
        crop : sequence of Span
            The part of the tile that is wanted.

        Returns
        -------
        ndarray of float32
            ``(K, *crop)``; where the network gave not-a-number, 0.
        """


class TorchEngine:
    """Runs a network by torch, with batch normalisation folded into the convolutions before it.

    Parameters
    ----------
    network : Network
        Left as it is; a copy is worked on.
    device : str
    activation : str
        ``"sigmoid"``, ``"softmax"`` or ``"none"``.
    bfloat16 : bool
        Whether to compute in bfloat16.

    """

    name = "torch"

    def __init__(
        self,
        network: Network,
        device: str,
        activation: str,
        *,
        bfloat16: bool = False,
    ) -> None:
        self.device = device
        # In a list, so that the layers do not hold the engine, which holds them: its memory goes when it does.
        self._check: list[Callable[[], None]] = [lambda: None]
        self._activation = activation
        self._dtype = torch.bfloat16 if bfloat16 else torch.float32
        self._network = fused(network).to(device=device, dtype=self._dtype)
        # Twice as fast for 2-D convolutions on the CPU, and no gain in 3-D.
        self._format = torch.channels_last if len(network.stride) == 2 else torch.contiguous_format
        self._network.to(memory_format=self._format)  # type: ignore[call-overload]
        check = self._check
        for layer in leaves(self._network):
            layer.register_forward_pre_hook(lambda *_: check[0]())

    def watch(self, check: Callable[[], None]) -> None:
        """Call this before every layer from now on; it may raise to stop within a tile."""
        self._check[0] = check

    @torch.inference_mode()
    def __call__(self, tile: npt.NDArray[np.float32], crop: Sequence[Span]) -> npt.NDArray[np.float32]:
        """Return probabilities, see `Engine`."""
        x = torch.from_numpy(tile)[None, None].to(self.device, self._dtype, memory_format=self._format)
        # TensorFloat-32, on by default for convolutions, would round by more than our results are kept with.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            logits = self._network(x)[(0, slice(None), *(slice(*c) for c in crop))].float()
        probabilities = activated(logits, self._activation).cpu().numpy()
        if self.device == "cpu":
            del x, logits
            return_memory()
        return probabilities


def activated(logits: torch.Tensor, activation: str) -> torch.Tensor:
    """Return probabilities of logits ``(K, *space)``; not-a-number becomes 0."""
    if activation == "none":  # the network gives probabilities itself
        return logits.nan_to_num(nan=0.0).clamp(0, 1)
    probabilities = logits.softmax(0) if activation == "softmax" else logits.sigmoid()
    return probabilities.nan_to_num(nan=0.0)


def fused(network: Network) -> Network:
    """Return a copy whose batch normalisations are folded into the convolutions right before them.

    In eval mode a batch normalisation is a fixed scaling of each channel (Ioffe & Szegedy 2015), so the
    result is the same but for rounding.
    """
    result = copy.deepcopy(network).eval()
    for module in result.modules():
        if isinstance(module, nn.Sequential):
            _fuse_neighbours(module)
    return result


def _fuse_neighbours(block: nn.Sequential) -> None:
    for i in range(len(block) - 1):
        convolution, norm = block[i], block[i + 1]
        if isinstance(convolution, _CONVOLUTIONS) and isinstance(norm, _NORMS):
            block[i] = fuse_conv_bn_eval(convolution, norm)
            block[i + 1] = nn.Identity()


def leaves(network: nn.Module) -> list[nn.Module]:
    """Return the modules that hold no others."""
    return [module for module in network.modules() if not list(module.children())]


def bytes_per_pixel(network: Network) -> int:
    """Return about how much memory one input pixel takes in the network at once, by trying the smallest input, once.

    The layer that holds most, input and output together, stands for the moment of greatest need; skip
    connections and the copies that a convolution makes of its own take about twice as much again.
    """
    if isinstance(network, OnnxNetwork):
        return network.bytes_per_pixel
    if network in _BYTES:
        return _BYTES[network]
    most = 0

    def look(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal most
        most = max(most, output.numel() + sum(x.numel() for x in inputs))

    trial = copy.deepcopy(network).cpu().float()
    for layer in leaves(trial):
        layer.register_forward_hook(look)
    # Of a single pixel at the coarsest level some cannot tell what they need.
    x = torch.zeros(1, 1, *(2 * step for step in trial.stride))
    with torch.inference_mode():
        trial(x)
    _BYTES[network] = max(1, 3 * 4 * most // x.numel())
    return _BYTES[network]
