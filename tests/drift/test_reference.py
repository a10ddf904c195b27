from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.drift.conftest import figures_of, texture

from napari_bioseg.drift import DISTANCES, OUTPUT, Known, Profile, distances, make_profile, nearest, ratios


def _known(groups: int, n: int = 12, **changes: float) -> list[Known]:
    return [Known(f"group {i % groups}", figures_of(texture(i, **changes))) for i in range(n)]


def _warned(profile: Profile, seeds: range, **changes: float) -> float:
    found = [distances(figures_of(texture(i, **changes)), profile) for i in seeds]
    return float(np.mean([max(ratios(row, profile).values()) > 1 for row in found]))


def test_images_of_the_same_kind_are_seldom_warned_of_and_others_are(profile: Profile) -> None:
    assert _warned(profile, range(100, 140)) <= 0.05
    assert _warned(profile, range(100, 110), noise=0.3) == 1
    assert _warned(profile, range(100, 110), coarse=3) == 1


def test_thresholds_come_from_groups_left_out_not_from_the_images_themselves() -> None:
    # Two groups with noise of their own: each alone is unlike the other, so both thresholds must allow for that.
    groups = [Known("a", figures_of(texture(i))) for i in range(6)]
    groups += [Known("b", figures_of(texture(i, noise=0.1))) for i in range(6, 12)]
    alone = [Known("all", known.figures) for known in groups[:6]]
    assert make_profile(groups).thresholds["noise"] > 2 * make_profile(alone).thresholds["noise"]


def test_a_single_group_is_left_out_in_blocks_and_gets_a_margin() -> None:
    one = make_profile(_known(1))
    assert (one.groups, one.images) == (1, 12)
    many = make_profile(_known(4))
    assert one.thresholds["features"] > many.thresholds["features"]


@pytest.mark.parametrize(("groups", "together"), [(1, False), (2, False), (3, True)])
def test_of_two_groups_or_one_it_is_not_told_how_bands_vary_together(groups: int, together: bool) -> None:
    assert bool(make_profile(_known(groups)).spectrum_covariance) == together


def test_the_limit_of_many_images_leaves_out_the_rare_one() -> None:
    known = [Known(str(i), figures_of(texture(i))) for i in range(60)]
    usual = make_profile(known).thresholds["features"]
    known[7] = Known("7", figures_of(texture(7, noise=0.4)))
    outlier = figures_of(texture(7, noise=0.4))
    profile = make_profile(known)
    assert distances(outlier, profile)["noise"] > profile.thresholds["noise"]
    assert profile.thresholds["features"] == pytest.approx(usual, rel=0.2)


def test_every_distance_has_a_threshold_and_the_card_brings_all_back(profile: Profile) -> None:
    assert list(profile.thresholds) == list(DISTANCES)
    written = profile.model_dump(mode="json")
    assert isinstance(written["features"], str)
    again = Profile.checked(written, "card")
    np.testing.assert_allclose(again.features, profile.features, rtol=1e-4)
    assert again.thresholds == profile.thresholds


def test_kinds_of_images_are_told_apart() -> None:
    usual = [Known(f"a{i % 4}", figures_of(texture(i)), "usual") for i in range(12)]
    coarse = [Known(f"b{i % 2}", figures_of(texture(i, coarse=4.0)), "coarse") for i in range(6)]
    profile = make_profile([*usual, *coarse])
    assert (profile.images, [kind.images for kind in profile.others]) == (12, [6])
    for coarseness, warned in ((1.0, False), (4.0, False), (2.0, True)):
        figures = figures_of(texture(50, coarse=coarseness))
        kind = nearest(figures, profile)
        assert (max(ratios(distances(figures, kind), kind).values()) > 1) == warned


def test_kinds_that_are_hardly_more_than_groups_are_one() -> None:
    known = [Known(f"group {i % 4}", figures_of(texture(i)), f"folder {i % 4}") for i in range(16)]
    assert make_profile(known).others == ()
    few = [Known("odd", figures_of(texture(i, coarse=4.0)), "odd") for i in range(3)]
    assert make_profile([*(Known(k.group, k.figures) for k in known), *few]).others == ()


def test_images_on_which_the_model_is_poor_set_no_thresholds() -> None:
    known = [Known(str(i), figures_of(texture(i)), score=0.9) for i in range(12)]
    known.append(Known("beyond it", figures_of(texture(12, noise=0.4)), score=0.7))
    poor = make_profile(known).thresholds["noise"]
    assert poor < make_profile([Known(k.group, k.figures) for k in known]).thresholds["noise"]


def test_a_card_of_an_earlier_layout_is_read(profile: Profile) -> None:
    later = {"spectrum_covariance", "others", "output", "output_sd"}
    written = profile.model_dump(mode="json", exclude=later) | {"version": 1}
    written["thresholds"] = {name: value for name, value in written["thresholds"].items() if name not in OUTPUT}
    found = distances(figures_of(texture(50)), Profile.checked(written, "card"))
    assert 0 < found["spectrum"] < profile.thresholds["spectrum"]
    assert set(DISTANCES) - set(found) == set(OUTPUT)


@pytest.mark.parametrize(("place", "name"), list(enumerate(OUTPUT)))
def test_what_the_network_finds_has_thresholds_of_its_own(profile: Profile, place: int, name: str) -> None:
    usual = figures_of(texture(50))
    off = np.zeros(3)
    off[place] = 3
    before, now = (ratios(distances(replace(usual, output=usual.output + o), profile), profile) for o in (0 * off, off))
    assert now[name] > 1 > max(before.values())
    assert {other for other, value in now.items() if value > 1} == {name}
