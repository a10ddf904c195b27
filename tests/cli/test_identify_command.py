from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_bioseg.simulate import em_membranes

Here = Callable[..., tuple[int, str]]


@pytest.fixture
def sections(tmp_path: Path) -> Path:
    tifffile.imwrite(tmp_path / "em.tif", em_membranes((2, 256, 256), 5)[0], photometric="minisblack")
    return tmp_path / "em.tif"


def test_it_says_kind_confidence_and_models(sections: Path, here: Here) -> None:
    code, said = here("identify", sections, "--axes", "ZYX")
    assert code == 0
    assert said.strip().splitlines()[-1].startswith("em: EM (")
    assert "membranes-unet2d" in said
    code, said = here("identify", sections, "--axes", "ZYX", "--json")
    found = json.loads(said[said.index("{") :])
    assert (code, found["kind"]) == (0, "EM")
    assert found["confidence"] == max(found["probabilities"].values()) > 0.5
    assert np.isclose(sum(found["probabilities"].values()), 1, atol=1e-3)
    assert {"membranes-unet2d", "membranes-ensemble", "em-multiclass-unet2d"} == set(found["models"])


def test_another_model_cannot_tell_kinds_and_the_gate_cannot_segment(sections: Path, here: Here) -> None:
    code, said = here("identify", sections, "--axes", "ZYX", "--model", "membranes-unet2d")
    assert code == 1
    assert "does not tell kinds" in said
    code, said = here(
        "segment", sections, "--axes", "ZYX", "--model", "image-gate", "--out", sections.with_name("o.tif")
    )
    assert code == 1
    assert "finds kinds of images, not labels" in said
