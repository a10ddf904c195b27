"""A one-stage, anchor-free detector for small particles, in the manner of YOLO.

One pass gives, at every pixel, how likely an object's centre is there, and its box (Redmon et al., CVPR 2016; without
anchors as in FCOS: Tian et al., ICCV 2019). The trunk is a U-Net, so that boxes are told at full resolution: particles
of 3 to 20 pixels would vanish on the coarse grids of detectors for photographs. Centres and boxes have branches of
their own (YOLOX: Ge et al., arXiv:2107.08430).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_bioseg.models.registry import ARCHITECTURES
from napari_bioseg.models.unet import UNet

_RARE = 0.01  # a pixel's chance to be a centre, before anything was learned (Lin et al., ICCV 2017)


@ARCHITECTURES.register("yolo")
class Yolo(UNet):
    """U-Net trunk, and two branches.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    widths : sequence of int
        Feature channels of each level, from fine to coarse.
    """

    head_margin = 1

    def __init__(self, *, in_channels: int = 1, widths: Sequence[int] = (16, 32, 64, 96)) -> None:
        super().__init__(dims=2, in_channels=in_channels, out_channels=5, widths=widths)
        self.head = _Branches(widths[0])


class _Branches(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.centre, self.box = _branch(width, 1), _branch(width, 4)
        nn.init.constant_(self.centre[-1].bias, -math.log((1 - _RARE) / _RARE))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.centre(x), self.box(x)), dim=1)


def _branch(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, outputs, 1),
    )
