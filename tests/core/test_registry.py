from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint

import pytest

from napari_bioseg.core import registry as registry_module
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


def broken():
    raise OSError("half installed")


def asking():
    return list(ASKED[0])


ASKED = []


class Point(EntryPoint):
    def load(self):
        return {"broken": broken, "asking": asking}.get(self.name, lambda: self.name)()


def points(monkeypatch, *names):
    found = [Point(name, "package:thing", "group") for name in names]
    monkeypatch.setattr(registry_module, "entry_points", lambda **_: found)


def test_a_broken_package_is_left_out_and_told(registry, monkeypatch, caplog):
    points(monkeypatch, "first", "broken", "dice", "last")
    assert list(registry) == ["bce", "dice", "first", "last"]
    assert registry.get("dice") == "Dice"
    assert ["'broken' of package:thing is left out: OSError" in r.getMessage() for r in caplog.records] == [True, False]


def test_a_package_may_ask_while_it_is_loaded(registry, monkeypatch):
    points(monkeypatch, "first", "asking", "last")
    ASKED[:] = [registry]
    assert "first" in registry.get("asking")
    assert list(registry) == ["asking", "bce", "dice", "first", "last"]


def test_no_thread_sees_half_a_registry(registry, monkeypatch):
    slow = threading.Event()

    class Slow(EntryPoint):
        def load(self):
            slow.wait(0.2)
            return "Slow"

    monkeypatch.setattr(registry_module, "entry_points", lambda **_: [Slow("slow", "package:slow", "group")])
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(registry.get, ["slow"] * 4)) == {"Slow"}
