"""Breaks, loops and cavities that were made are found where they are."""

from __future__ import annotations

import numpy as np
import pytest

from napari_bioseg.metrics.vessel_findings import findings
from napari_bioseg.metrics.vessel_graph import vessel_graph
from napari_bioseg.metrics.vessel_loops import small_loops
from napari_bioseg.simulate import vessel_tree

ONE = (1, 1, 1)


def found(mask, spacing=ONE, kind="break", **options):
    return [f for f in findings(vessel_graph(mask, spacing), **options) if f.kind == kind]


@pytest.mark.parametrize("spacing", [(1, 1, 1), (3, 0.5, 0.5)])
def test_a_gap_in_a_tube_is_found_where_it_is(tubes, spacing):
    mask = tubes((21, 41, 100), ONE, [[(10, 20, 10), (10, 20, 90)]], 4)
    mask[:, :, 46:54] = False
    (gap,) = found(mask, spacing)
    assert np.allclose(gap.position, (10, 20, 49.5), atol=1)
    assert np.allclose(gap.place, np.array(gap.position) * spacing)
    assert len(gap.branches) == 2
    apart = float(gap.reason.split(" µm")[0].split()[-1])
    assert apart == pytest.approx(8 * spacing[2], abs=spacing[2])
    assert "\n" not in gap.reason
    assert 0 < gap.score < 1


def test_a_narrow_gap_scores_more_than_a_wide_one_and_too_wide_is_none(tubes):
    scores = []
    for width in (4, 10, 40):
        mask = tubes((21, 21, 120), ONE, [[(10, 10, 10), (10, 10, 110)]], 4)
        mask[:, :, 60 - width // 2 : 60 + width // 2] = False
        scores.append([gap.score for gap in found(mask)])
    assert scores[0] > scores[1]
    assert scores[2] == []
    assert found(mask, reach=20)


def test_two_parallel_ends_do_not_face_each_other(tubes):
    beside = tubes((21, 61, 80), ONE, [[(10, 22, 5), (10, 22, 60)], [(10, 36, 5), (10, 36, 60)]], 4)
    assert len(vessel_graph(beside, ONE).end_points) == 4
    assert found(beside) == []


def test_ends_at_the_border_are_no_breaks(tubes):
    mask = tubes((21, 60, 60), ONE, [[(10, 20, -9), (10, 20, 30)], [(10, 20, 38), (10, 20, 70)]], 4)
    (gap,) = found(mask)
    assert np.allclose(gap.position, (10, 20, 34), atol=1)
    mask[:, :, :36] = False
    assert found(mask) == []


def test_a_probability_in_the_gap_speaks_for_a_break(tubes):
    mask = tubes((21, 21, 100), ONE, [[(10, 10, 10), (10, 10, 90)]], 4)
    mask[:, :, 46:54] = False
    faint, dark = (np.where(mask, 0.9, gap).astype(np.float32) for gap in (0.4, 0.01))
    graph = vessel_graph(mask, ONE)
    (likely,), (unlikely,) = (findings(graph, probability=p) for p in (faint, dark))
    assert likely.score > 1.4 * unlikely.score
    assert "probability 0.4" in likely.reason


def test_a_hole_through_a_vessel_is_a_loop_and_a_mesh_is_none(tubes):
    mesh = [[(10, 10), (10, 150)], [(10, 150), (150, 150)], [(150, 150), (150, 10)], [(150, 10), (10, 10)]]
    mask = tubes((161, 161), (1, 1), mesh, 5)
    mask[8:13, 60:65] = False
    (hole,) = found(mask, (1, 1), "loop")
    assert np.allclose(hole.position, (10, 62), atol=2)
    assert found(mask, (1, 1), "loop", loop=0) == []
    assert len(found(mask, (1, 1), "loop", loop=500)) == 2


def test_a_sieve_gives_one_loop_a_hole(tubes):
    mask = tubes((61, 161), (1, 1), [[(30, 10), (30, 150)]], 10)
    for y in (26, 34):
        for x in (60, 68, 76):
            mask[y - 1 : y + 2, x - 1 : x + 2] = False
    assert len(small_loops(vessel_graph(mask, (1, 1)), 40)) == 6


def test_a_cavity_is_listed_with_its_volume(tubes):
    mask = tubes((31, 31, 60), ONE, [[(15, 15, 10), (15, 15, 50)]], 9)
    mask[14:17, 14:17, 29:32] = False
    (cavity,) = found(mask, kind="cavity")
    assert "27.0 µm³" in cavity.reason
    assert 0 < cavity.score < 1


def cut(mask, graph, spacing, rng, count):
    """Cut branches across, over two radii; return the mask and the places in the unit of the spacing."""
    mask, step, places = mask.copy(), np.array(spacing, float), []
    at = np.indices(mask.shape).reshape(mask.ndim, -1).T * step
    room = step * np.array(mask.shape)
    branches = [b for b in graph.branches if b.length > 12 * np.median(b.radii) + 10]
    for branch in rng.permutation(np.array(branches, object)):
        i = len(branch.points) // 2
        place = branch.points[i] * step
        along = (branch.points[i + 3] - branch.points[i - 3]) * step
        along /= np.linalg.norm(along)
        radius = float(np.median(branch.radii))
        if (np.minimum(place, room - place) < 4 * radius).any() or len(places) == count:
            continue
        ahead = (at - place) @ along
        aside = np.linalg.norm(at - place - ahead[:, None] * along, axis=1)
        mask.reshape(-1)[(np.abs(ahead) <= radius) & (aside <= 2 * radius + step.max() / 2)] = False
        places.append(place)
    return mask, np.array(places)


def test_breaks_cut_into_simulated_vessels_are_found():
    spacing, made, hits, listed = (2, 1, 1), 0, 0, 0
    for seed in (1, 2):
        _, truth = vessel_tree((50, 160, 160), spacing, seed, large_vessels=0)
        broken, places = cut(truth, vessel_graph(truth, spacing), spacing, np.random.default_rng(seed), 15)
        gaps = np.array([f.place for f in found(broken, spacing)])
        near = np.linalg.norm(gaps[:, None] - places, axis=-1) < 6
        made, hits, listed = made + len(places), hits + int(near.any(axis=0).sum()), listed + int(near.any(1).sum())
        assert len(gaps) - near.any(axis=1).sum() <= 2, "others than were made"
    assert made >= 20
    assert hits >= 0.7 * made, (hits, made, listed)
