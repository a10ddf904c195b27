"""What an installed package promises before anything is asked of it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import pytest

import napari_bioseg


def in_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "module", ["napari_bioseg", "napari_bioseg.cli", "napari_bioseg.metrics", "napari_bioseg.simulate"]
)
def test_import_loads_neither_torch_nor_a_window(module):
    loaded = in_fresh_process(f"import sys, {module}; print(*sys.modules)").split()
    heavy = {"torch", "napari", "qtpy", "PyQt6", "PySide6", "openvino"}
    assert module in loaded
    assert not heavy & set(loaded)


def test_version_is_the_distribution_s():
    assert metadata.version("napari-bioseg") == napari_bioseg.__version__


@pytest.mark.parametrize("verb", [name for name in napari_bioseg.__all__ if name != "__version__"])
def test_each_public_verb_can_be_had(verb):
    assert callable(getattr(napari_bioseg, verb))
    assert verb in dir(napari_bioseg)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        napari_bioseg.nonsense  # noqa: B018 - the access is what is tested


def test_napari_finds_the_manifest_and_the_shell_the_command():
    points = metadata.distribution("napari-bioseg").entry_points
    assert {(p.group, p.name) for p in points} >= {("napari.manifest", "napari-bioseg"), ("console_scripts", "bioseg")}


def test_type_hints_are_shipped():
    assert (resources.files(napari_bioseg) / "py.typed").is_file()


DISTRIBUTION_OF = {
    "PIL": "pillow", "mlflow": "mlflow-skinny", "pynvml": "nvidia-ml-py", "skimage": "scikit-image", "yaml": "pyyaml",
}  # fmt: skip


def imported() -> set[str]:
    """Distributions of the foreign packages that our modules import."""
    found = set()
    for path in Path(napari_bioseg.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    foreign = found - set(sys.stdlib_module_names) - {"napari_bioseg", ""}
    return {DISTRIBUTION_OF.get(name, name.replace("_", "-")) for name in foreign}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    required = [line.partition(";") for line in metadata.requires("napari-bioseg") or ()]
    base, extra = (
        {re.split(r"[^\w-]", line, maxsplit=1)[0] for line, _, marker in required if ("extra" in marker) is optional}
        for optional in (False, True)
    )
    assert imported() - base <= extra
    assert base - imported() == set()


def test_tox_looks_wherever_there_are_tests_of_windows():
    root = Path(__file__).resolve().parent.parent
    named = re.search(r"^folders = (.*)$", (root / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE)
    marked = {
        path.parent.relative_to(root).as_posix()
        for path in (root / "tests").rglob("test_*.py")
        if re.search(r"\bmark\.(gui|ring)\b", path.read_text(encoding="utf-8"))
    }
    assert named is not None
    assert marked == set(named[1].split())
