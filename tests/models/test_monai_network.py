"""Networks of MONAI: by name, with the reach that they have."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from napari_bioseg.core import RecipeError
from napari_bioseg.core.errors import MissingDependencyError
from napari_bioseg.models.network import Network
from napari_bioseg.models.reach import runner_of, tile_error
from napari_bioseg.models.registry import build_network

pytestmark = pytest.mark.xdist_group("monai")  # which takes many seconds to import

ROUNDING = 1e-12  # in standard deviations of the output, in float64
SMALL = {"spatial_dims": 2, "in_channels": 1, "out_channels": 2}
# With the halo and the stride of each.
NETS: list[tuple[dict[str, Any], tuple[int, ...], tuple[int, ...]]] = [
    ({"class": "BasicUNet", **SMALL, "norm": "batch", "features": [2, 2, 4, 4, 8, 2]}, (107, 107), (16, 16)),
    (
        {
            "class": "UNet", **SMALL, "channels": [2, 4, 4], "strides": [2, [1, 2]], "kernel_size": [1, 3],
            "norm": "batch",
        },
        (3, 10),
        (2, 4),
    ),
    (
        {
            "class": "DynUNet", **SMALL, "kernel_size": [[1, 3], 3, 3], "strides": [1, [1, 2], 2],
            "upsample_kernel_size": [[1, 2], 2], "norm_name": "batch", "filters": [2, 4, 4],
        },
        (10, 20),
        (2, 4),
    ),
    (
        {
            "class": "SegResNet", **SMALL, "norm": "batch", "init_filters": 2, "blocks_down": [1, 1],
            "blocks_up": [1],
        },
        (12, 12),
        (2, 2),
    ),
]  # fmt: skip


def build(**arguments: Any) -> Network:
    torch.manual_seed(0)
    return build_network("monai", arguments).eval()


@pytest.mark.parametrize(("arguments", "halo", "stride"), NETS, ids=[a["class"] for a, *_ in NETS])
def test_tiles_of_it_fit_together(arguments: dict[str, Any], halo: tuple[int, ...], stride: tuple[int, ...]) -> None:
    network = build(**arguments)
    assert network.exact
    assert (network.halo, network.stride) == (halo, stride)
    assert tile_error(runner_of(network), network.halo, network.stride) < ROUNDING
    # What lies furthest may count for less than rounding does, so half of the halo is tried here, not a pixel less.
    half = [far // 2 for far in network.halo]
    assert tile_error(runner_of(network), half, network.stride) > ROUNDING


def test_the_reach_is_that_of_interval_arithmetic() -> None:
    ours = build_network("unet", {"dims": 2, "widths": [2, 2, 4, 4, 8]})
    assert build(**NETS[0][0]).halo == ours.halo


def test_measuring_draws_nothing_that_a_training_would_draw() -> None:
    network = build(**NETS[1][0], bias=False)
    torch.manual_seed(7)
    assert network.halo
    drawn = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(1))


def test_what_normalises_over_the_image_is_taken_with_a_halo_only() -> None:
    arguments = {key: value for key, value in NETS[0][0].items() if key != "norm"}
    with pytest.raises(RecipeError, match=r"tiles differ from the whole\. Give it batch normalisation"):
        build(**arguments)
    network = build(**arguments, halo=[40, 40], stride=[16, 16])
    assert (network.halo, network.stride, network.exact) == ((40, 40), (16, 16), False)
    windows = {"class": "SwinUNETR", **SMALL, "feature_size": 12, "norm_name": "batch"}
    with pytest.raises(RecipeError, match="looks through windows"):
        build(**windows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"class": "FlexibleUNet"}, "is not known here. Choose one of: AttentionUnet"),
        ({"class": "__builtins__"}, "is not known here"),
        ({}, "class None of MONAI"),
        ({"class": "UNet", "colour": 1}, "cannot be built with these arguments"),
        ({**NETS[2][0], "deep_supervision": True}, "gives several outputs"),
        ({**NETS[0][0], "halo": [1, 1]}, "halo and stride are given together"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        build(**arguments)


def test_the_extra_is_named_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.networks", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'napari-bioseg\[monai\]'"):
        build(**NETS[0][0])
