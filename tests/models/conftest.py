"""A small model in a zoo of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_bioseg.models.card import ArchitectureSpec, Card, InputSpec
from napari_bioseg.models.model import write_model
from napari_bioseg.models.registry import build_network


@pytest.fixture
def card() -> Card:
    return Card(
        name="tiny",
        title="Tiny",
        summary="Nothing",
        architecture=ArchitectureSpec(name="unet", arguments={"dims": 2, "widths": [2, 4]}),
        input=InputSpec(axes="YX", pixel_size={"Y": 0.5, "X": 0.5}),
        classes=({"value": 1, "name": "thing"},),
        licence="BSD-3-Clause",
        data="none",
        split="none",
    )


@pytest.fixture
def zoo(tmp_path: Path, card: Card, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "zoo"
    folder.mkdir()
    write_model(folder / "tiny", card, build_network("unet", card.architecture.arguments), "# tiny\n")
    monkeypatch.setenv("BIOSEG_MODELS", str(folder))
    return folder
