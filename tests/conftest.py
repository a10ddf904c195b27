"""Fixtures of the whole suite."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# The same examples on every run, however slow the machine: what was green stays green until the code changes.
settings.register_profile("bioseg", derandomize=True, deadline=None)
settings.load_profile("bioseg")

ROOT = Path(__file__).resolve().parent.parent

# These take longest, and come first: at the end no process is left alone with one of them.
LONG = (
    "ring/test_loop", "ring/test_mlflow_server", "inference/test_memory", "workflows/test_batch_cluster",
    "workflows/test_finetuning", "cli/test_app", "workflows/test_synchronising", "workflows/test_batching",
    "test_notebooks",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {f"tests/{name}.py": place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def _runs_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's list of runs is left alone, also by processes that a test starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIOSEG_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real images; tests that need them skip, saying so, where it is absent."""
    folder = Path(os.environ.get("BIOSEG_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real images are not here: {folder} (set BIOSEG_DATA)")
    return folder


@pytest.fixture(scope="session")
def built_zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with two small untrained models, not to be changed, whose probabilities are well spread."""
    import torch

    from napari_bioseg.models.card import ArchitectureSpec, Card, InputSpec
    from napari_bioseg.models.model import write_model
    from napari_bioseg.models.registry import build_network

    folder = tmp_path_factory.mktemp("zoo")
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
    return folder


@pytest.fixture
def tiny_zoo(built_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's zoo, with ``tiny2d`` and ``tiny3d``: a copy that the test may change."""
    folder = shutil.copytree(built_zoo, tmp_path / "zoo")
    monkeypatch.setenv("BIOSEG_MODELS", str(folder))
    return folder


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BIOSEG_DOWNLOADS", str(tmp_path / "downloads"))
    return tmp_path / "downloads"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which a server on loopback shows it."""
    folder = tmp_path / "served"
    folder.mkdir()
    with _answering(SimpleHTTPRequestHandler, directory=folder) as address:
        yield folder, address


@pytest.fixture
def answering() -> Callable[..., AbstractContextManager[str]]:
    """Return how to start a server on loopback that answers by a handler; the block has its address."""
    return _answering


@contextmanager
def _answering(handler: type, **arguments: Any) -> Iterator[str]:
    quiet = type("Quiet", (handler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, **arguments))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def public_planes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (3, 300, 400), dtype=np.uint8)


@pytest.fixture
def public_image(served: tuple[Path, str], public_planes: np.ndarray) -> Any:
    """A public image whose archive lies on a server on loopback."""
    import tifffile

    from napari_bioseg.io import PUBLIC_IMAGES

    folder, address = served
    with zipfile.ZipFile(folder / "set.zip", "w") as file:
        for z in (2, 0, 1):
            plane = io.BytesIO()
            tifffile.imwrite(plane, public_planes[z], photometric="minisblack")
            file.writestr(f"top/stack1/raw/{z:02}.tif", plane.getvalue())
        file.writestr("top/stack1/raw/../../../../outside.tif", plane.getvalue())
        file.writestr("top/readme.txt", "words")
    sha256 = hashlib.sha256((folder / "set.zip").read_bytes()).hexdigest()
    return replace(PUBLIC_IMAGES["drosophila-vnc"], url=f"{address}/set.zip", sha256=sha256, planes="*/raw/0?.tif")


@pytest.fixture(scope="session")
def _empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of MLflow with an experiment of ours, and no run: to make one takes seconds."""
    from napari_bioseg import sync

    folder = tmp_path_factory.mktemp("store")
    sync(f"sqlite:///{folder / 'mlflow.db'}", [])
    return folder / "mlflow.db"


@pytest.fixture
def mlflow_store(_empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of the store in the user's data folder, which is one of this test."""
    for name in ("USERNAME", "PASSWORD", "TOKEN", "URI"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("BIOSEG_RUNS", str(tmp_path / "data"))
    path = tmp_path / "data" / "mlflow" / "mlflow.db"
    path.parent.mkdir(parents=True)
    shutil.copy(_empty_store, path)
    with closing(sqlite3.connect(path)) as file, file:
        places = (_empty_store.parent.as_uri(), path.parent.as_uri())
        file.execute("UPDATE experiments SET artifact_location = replace(artifact_location, ?, ?)", places)
    return f"sqlite:///{path}"


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Path]:
    """Return how to make a project of a stack in `tmp_path`, corrected as if a window had done it."""
    import tifffile

    from napari_bioseg.core.job import Job
    from napari_bioseg.corrections.change import Change, Patch
    from napari_bioseg.corrections.journal import Journal
    from napari_bioseg.corrections.project import create_project, project_beside
    from napari_bioseg.corrections.project_info import PredictionInfo, refer
    from napari_bioseg.corrections.records import Step, Verify

    def make(
        name: str, image: np.ndarray, truth: np.ndarray, verified: Sequence[Any], garbage: int = 0, **facts: Any
    ) -> Path:
        """Predict `garbage` everywhere; planes, or boxes, of `verified` are corrected to the truth and verified."""
        source = tmp_path / f"{name}.tif"
        tifffile.imwrite(source, image, photometric="minisblack")
        folder = project_beside(source)
        labels, wanted = np.full(image.shape, garbage, np.uint32), truth.astype(np.uint32)
        known = {"scale": (1, 1, 1), "units": (None,) * 3, "translate": (0, 0, 0)}
        with create_project(folder, refer(source, folder, axes="ZYX", shape=image.shape, name=name)) as project:
            saved = project.add_prediction(PredictionInfo(name=name, axes="ZYX", **known, **facts), labels, job=Job())
        with Journal(saved.journal, {"shape": list(image.shape)}, on_problem=_fail) as journal:
            for number, place in enumerate(verified, start=1):
                whole = (slice(0, n) for n in image.shape[1:])
                box = place if isinstance(place, tuple) else (slice(place, place + 1), *whole)
                patch = Patch.between([s.start for s in box], labels[box], wanted[box])
                assert patch is not None
                journal.append(Step(number, Change("paint", (patch,))))
                journal.append(Verify(box, True))
        return folder

    return make


def _fail(error: Exception) -> None:
    raise error


@pytest.fixture
def make_box_project(tmp_path: Path) -> Callable[..., Path]:
    """Return how to make a project of a movie in `tmp_path`, its boxes corrected as if a window had done it."""
    import tifffile

    from napari_bioseg.core.boxes import Boxes
    from napari_bioseg.corrections.journal import Journal
    from napari_bioseg.corrections.project import create_project, project_beside
    from napari_bioseg.corrections.project_info import BoxFacts, PredictionInfo, refer
    from napari_bioseg.corrections.records import BoxEdit, Verify

    def make(name: str, image: np.ndarray, wrong: Boxes, truth: Boxes, checked: Sequence[int], **facts: Any) -> Path:
        """Find `wrong`, and the first true box hidden; in frames of `checked` wrong boxes give way to true ones."""
        source = tmp_path / f"{name}.tif"
        tifffile.imwrite(source, image, photometric="minisblack")
        folder = project_beside(source)
        found, shown = Boxes.joined([wrong, truth[:1]]), np.arange(len(wrong) + 1) < len(wrong)
        boxes = BoxFacts(shape=image.shape, thresholds={"confidence": None}, own_confidence=0.4, done=True)
        known = {"scale": (1, 1, 1), "units": (None,) * 3, "translate": (0, 0, 0)}
        info = PredictionInfo(name=name, axes="TYX", boxes=boxes, **known, **facts)
        with create_project(folder, refer(source, folder, axes="TYX", shape=image.shape, name=name)) as project:
            saved = project.add_boxes(info, found, shown)
        with Journal(saved.journal, {"shape": list(image.shape)}, on_problem=_fail) as journal:
            for t in checked:
                true = truth[truth.frame == t]
                rows = [(t, 0, *c, *s) for c, s in zip(true.centre.tolist(), true.size.tolist(), strict=True)]
                journal.append(BoxEdit(tuple(np.flatnonzero(wrong.frame == t).tolist()), tuple(rows)))
                journal.append(Verify((slice(t, t + 1), slice(0, image.shape[1]), slice(0, image.shape[2])), True))
        return folder

    return make


@pytest.fixture
def make_onnx(tmp_path: Path) -> Callable[..., Path]:
    """Return how to write an ONNX file: a convolution over all axes of space."""
    import onnx

    def make(
        name: str = "net",
        *,
        sides: Sequence[int | str] = ("y", "x"),
        channels: tuple[int, int] = (1, 1),
        after: str = "",
    ) -> Path:
        """The kernel is 5 pixels along each of `sides`; `after` is an operator that follows, as ``Sigmoid``."""
        inputs, outputs = channels
        kernel = np.random.default_rng(0).normal(size=(outputs, inputs, *(5 for _ in sides))).astype(np.float32)
        nodes = [onnx.helper.make_node("Conv", ["grey", "kernel"], ["found"], pads=[2] * (2 * len(sides)))]
        if after:
            nodes.append(onnx.helper.make_node(after, ["found"], ["shown"]))
        tensor = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            nodes,
            name,
            [tensor("grey", onnx.TensorProto.FLOAT, ["n", inputs, *sides])],
            [tensor("shown" if after else "found", onnx.TensorProto.FLOAT, ["n", outputs, *sides])],
            [onnx.numpy_helper.from_array(kernel, "kernel")],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, tmp_path / f"{name}.onnx")
        return tmp_path / f"{name}.onnx"

    return make
