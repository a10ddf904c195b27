"""Graphs of tubes whose lengths and radii are known."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from skimage.measure import euler_number, label

from napari_bioseg.metrics.vessel_graph import vessel_graph
from napari_bioseg.simulate import vessel_tree


def test_a_straight_tube(tubes):
    mask = tubes((21, 21, 80), (1, 1, 1), [[(10, 10, 10), (10, 10, 70)]], 4)
    graph = vessel_graph(mask, (1, 1, 1))
    (branch,) = graph.branches
    assert branch.kind == "tip-tip"
    assert branch.length == pytest.approx(60, abs=0.5)
    assert graph.length == branch.length
    assert graph.median_radius == pytest.approx(4, abs=0.5)
    assert branch.tortuosity == pytest.approx(1, abs=0.01)
    ends = sorted((end.position for end in graph.end_points), key=lambda p: p[2])
    assert np.allclose(ends, [(10, 10, 10), (10, 10, 70)], atol=0.6)
    assert not any(end.at_border for end in graph.end_points)
    directions = sorted(end.direction[2] for end in graph.end_points)
    assert np.allclose(directions, [-1, 1], atol=0.02)
    assert len(graph.branch_points) == 0


@pytest.mark.parametrize("spacing", [(1, 1, 1), (2, 1, 1), (4, 1, 1)])
def test_lengths_and_radii_are_in_the_unit_of_the_spacing(tubes, spacing):
    shape = (int(80 / spacing[0]), 60, 80)
    mask = tubes(shape, spacing, [[(40, 30, 10), (40, 30, 70)]], 8)
    graph = vessel_graph(mask, spacing)
    assert graph.length == pytest.approx(60, rel=0.03)
    assert graph.median_radius == pytest.approx(8, abs=spacing[0] / 2)
    upright = vessel_graph(tubes(shape, spacing, [[(8, 30, 40), (72, 30, 40)]], 8), spacing)
    assert upright.length == pytest.approx(64, abs=spacing[0])
    assert upright.median_radius == pytest.approx(8, abs=0.5)


def test_an_oblique_tube_is_not_as_long_as_the_steps_from_pixel_to_pixel(tubes):
    mask = tubes((90, 90), (1, 1), [[(10, 10), (40, 80)]], 3)
    assert vessel_graph(mask, (1, 1)).length == pytest.approx(np.hypot(30, 70), rel=0.02)


def test_a_y(tubes):
    arms = [[(10, 40, 40), (10, 40, 5)], [(10, 40, 40), (10, 15, 70)], [(10, 40, 40), (10, 65, 70)]]
    graph = vessel_graph(tubes((21, 81, 81), (1, 1, 1), arms, 3), (1, 1, 1))
    assert [branch.kind for branch in graph.branches] == ["tip-junction"] * 3
    assert np.linalg.norm(graph.branch_points - (10, 40, 40), axis=1).max() < 4
    assert len(graph.branch_points) == 1
    assert len(graph.end_points) == 3
    assert graph.length == pytest.approx(35 + 2 * np.hypot(25, 30), rel=0.05)


def test_a_ring_is_a_cycle(tubes):
    y, x = np.mgrid[:64, :64]
    ring = np.abs(np.hypot(y - 32, x - 32) - 20) <= 3
    (branch,) = vessel_graph(ring, (0.5, 0.5)).branches
    assert branch.kind == "cycle"
    assert branch.length == pytest.approx(2 * np.pi * 20 * 0.5, rel=0.04)
    assert branch.radii.mean() == pytest.approx(1.5, abs=0.4)
    assert np.isinf(branch.tortuosity)


def test_spurs_shorter_than_the_radius_are_left_out(tubes):
    mask = tubes((80, 41), (1, 1), [[(5, 20), (75, 20)]], 6)
    mask[40, 26:29] = True  # a hair on the surface
    kept, pruned = (vessel_graph(mask, (1, 1), prune_below=below) for below in (0, 2))
    assert len(kept.branch_points) >= 1
    assert len(pruned.branch_points) == 0
    assert pruned.pruned >= 1
    assert [branch.kind for branch in pruned.branches] == ["tip-tip"]
    assert pruned.length == pytest.approx(70, abs=2.5)


def test_a_branch_longer_than_the_radius_stays(tubes):
    mask = tubes((80, 61), (1, 1), [[(5, 20), (75, 20)], [(40, 20), (40, 50)]], 4)
    graph = vessel_graph(mask, (1, 1))
    assert len(graph.branch_points) == 1
    assert len(graph.branches) == 3


def test_a_cavity_is_filled_and_told(tubes):
    mask = tubes((31, 31, 80), (1, 1, 1), [[(15, 15, 10), (15, 15, 70)]], 9)
    mask[14:17, 14:17, 39:42] = False
    graph = vessel_graph(mask, (2, 2, 2))
    assert len(graph.branches) == 1
    (cavity,) = graph.cavities
    assert cavity.volume == 27 * 8
    assert np.abs(cavity.position - (15, 15, 40)).max() <= 1
    assert cavity.around == pytest.approx(18, abs=1)


def test_ends_at_the_border_are_told(tubes):
    mask = tubes((21, 21, 60), (1, 1, 1), [[(10, 10, -5), (10, 10, 40)]], 4)
    assert sorted(end.at_border for end in vessel_graph(mask, (1, 1, 1)).end_points) == [False, True]


def test_as_many_loops_as_the_mask_has():
    _, truth = vessel_tree((32, 160, 160), (2, 1, 1), 3, density=0.06, large_vessels=0)
    solid = ndimage.binary_fill_holes(truth)
    pieces = label(solid, connectivity=3).max()
    loops = pieces - euler_number(np.pad(solid, 1), connectivity=3)
    graph = vessel_graph(truth, (2, 1, 1))
    nodes = {node: i for i, node in enumerate({node for b in graph.branches for node in b.nodes})}
    joined = np.zeros((len(nodes),) * 2)
    for branch in graph.branches:
        joined[nodes[branch.nodes[0]], nodes[branch.nodes[1]]] = 1
    parts = connected_components(joined, directed=False)[0]
    # Holes of a pixel or two are taken for one junction.
    assert loops > 3
    assert loops - 2 <= len(graph.branches) - len(nodes) + parts <= loops


@pytest.mark.parametrize("fill", [0, 1])
@pytest.mark.parametrize("shape", [(8, 9), (1, 8, 9), (4, 8, 9)])
def test_nothing_and_everything(shape, fill):
    graph = vessel_graph(np.full(shape, fill, bool), (1.0,) * len(shape))
    assert np.isfinite(graph.length)
    assert np.isfinite(graph.median_radius)
    assert fill or (graph.branches == () and graph.end_points == ())


def test_a_speck_has_no_branch():
    speck = np.zeros((9, 9, 9), np.uint32)
    speck[4, 4, 4] = 70_000
    assert vessel_graph(speck, (1, 1, 1)).branches == ()


@pytest.mark.parametrize(("shape", "spacing"), [((4,), (1,)), ((4, 4), (1, 1, 1)), ((4, 4), (1, 0))])
def test_a_spacing_that_does_not_fit_is_refused(shape, spacing):
    with pytest.raises(ValueError, match="spacing"):
        vessel_graph(np.zeros(shape, bool), spacing)


def test_without_skan_the_error_names_what_to_install():
    code = """
import sys
sys.modules["skan"] = None
import numpy as np
from napari_bioseg.core.errors import MissingDependencyError
from napari_bioseg.metrics.vessel_graph import vessel_graph
try:
    vessel_graph(np.ones((4, 9), bool), (1, 1))
except MissingDependencyError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'napari-bioseg[vessels]'" in done.stdout
    assert len(done.stdout.splitlines()) == 1
