from __future__ import annotations

import pytest

from napari_bioseg.core.errors import RecipeError
from napari_bioseg.core.registry import Registry


@pytest.fixture
def registry() -> Registry[str]:
    registry: Registry[str] = Registry("loss", "napari_bioseg.tests_only")
    registry.register("dice")("Dice")
    registry.register("bce")("BCE")
    return registry


def test_names_are_found_and_listed_in_order(registry):
    assert registry.get("dice") == "Dice"
    assert list(registry) == ["bce", "dice"]


def test_a_name_given_twice_is_an_error(registry):
    with pytest.raises(ValueError, match="'dice' is registered twice"):
        registry.register("dice")("other")
    assert registry.get("dice") == "Dice"


def test_an_unknown_name_is_told_with_the_known_ones(registry):
    with pytest.raises(RecipeError, match=r"loss 'dise': does not exist.*bce, dice"):
        registry.get("dise")


def test_other_packages_add_theirs_by_an_entry_point():
    """Through a group that is there wherever the tests run: pytest's own plugins'."""
    registry: Registry[object] = Registry("plugin", "pytest11")
    registry.register("ours")(object())
    assert {"ours", "timeout"} <= set(registry)
