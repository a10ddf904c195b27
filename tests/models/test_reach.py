"""How far a network looks, found by trying, against what is known of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_bioseg.models.reach import measure, runner_of, tile_error
from napari_bioseg.models.registry import build_network


def network(name: str, **arguments: Any) -> Any:
    torch.manual_seed(0)
    return build_network(name, arguments).eval()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("unet", {"dims": 2, "widths": [2, 4, 8]}),
        ("unet", {"dims": 2, "widths": [2, 4], "strides": [[1, 2]], "kernels": [[1, 3], [3, 5]]}),
        ("unet", {"dims": 3, "widths": [2, 3], "kernels": [[1, 3, 3], [3, 3, 3]], "strides": [[1, 2, 2]]}),
        ("swin_unet", {"widths": [4, 32], "windows": [4]}),
    ],
)
def test_what_is_measured_is_what_is_calculated(name: str, arguments: dict[str, Any]) -> None:
    known = network(name, **arguments)
    found = measure(runner_of(known), len(known.stride))
    assert (found.halo, found.stride) == (known.halo, known.stride)


def test_a_network_that_takes_any_sides_and_pools_has_the_steps_of_its_pooling() -> None:
    class Lenient(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            small = nn.functional.avg_pool2d(nn.functional.pad(x, (0, -x.shape[-1] % 4, 0, -x.shape[-2] % 4)), 4)
            return x + 1e-3 * small.repeat_interleave(4, 2).repeat_interleave(4, 3)[..., : x.shape[-2], : x.shape[-1]]

    found = measure(runner_of(Lenient()), 2)
    assert (found.halo, found.stride) == ((3, 3), (4, 4))


def test_what_looks_at_the_whole_image_is_told() -> None:
    with pytest.raises(ValueError, match="looks at the whole image"):
        measure(runner_of(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.InstanceNorm2d(2)).eval()), 2)


def test_what_gives_something_else_at_each_place_is_told() -> None:
    def run(grey: np.ndarray) -> np.ndarray:
        return grey * np.arange(grey.shape[-1])

    with pytest.raises(ValueError, match="wherever a tile begins"):
        measure(run, 2)


def test_tiles_differ_where_the_halo_or_the_stride_is_too_small() -> None:
    net = network("unet", dims=2, widths=[4, 8])
    run = runner_of(net)
    assert tile_error(run, net.halo, net.stride) < 1e-9
    assert tile_error(run, [4, 4], net.stride) > 1e-3
    with pytest.raises(ValueError, match="match"):
        tile_error(run, net.halo, (1, 1))
