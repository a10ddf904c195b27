"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real images; tests that need them skip, saying so, where it is absent."""
    folder = Path(os.environ.get("BIOSEG_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real images are not here: {folder} (set BIOSEG_DATA)")
    return folder


@pytest.fixture
def tiny_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Zoo with two small untrained models, ``tiny2d`` and ``tiny3d``, whose probabilities are well spread."""
    import torch

    from napari_bioseg.models.card import ArchitectureSpec, Card, InputSpec
    from napari_bioseg.models.model import write_model
    from napari_bioseg.models.registry import build_network

    folder = tmp_path / "zoo"
    folder.mkdir()
    for dims, axes in ((2, "YX"), (3, "ZYX")):
        card = Card(
            name=f"tiny{dims}d",
            title="Tiny",
            summary=f"Tests in {dims}-D",
            architecture=ArchitectureSpec(name="unet", arguments={"dims": dims, "widths": [4, 8]}),
            input=InputSpec(axes=axes),
            classes=({"value": 1, "name": "thing", "color": "#e69f00"},),
            licence="BSD-3-Clause",
            data="none",
            split="none",
        )
        torch.manual_seed(0)
        network = build_network("unet", card.architecture.arguments)
        network.eval()
        with torch.no_grad():
            noise = torch.rand(1, 1, *(16,) * dims)
            network.head.weight *= 4 / network(noise).std()
            network.head.bias -= network(noise).median()
        write_model(folder / card.name, card, network, "# tiny\n")
    monkeypatch.setenv("BIOSEG_MODELS", str(folder))
    return folder
