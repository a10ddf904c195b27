"""Trained offline, sent to a server that dies and comes back, promoted, served, and taken from there elsewhere."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import requests

from napari_bioseg import segment, sync
from napari_bioseg.core import image_from_array
from napari_bioseg.models import find_model
from napari_bioseg.runs import Run, server
from napari_bioseg.training.recipe import Recipe
from napari_bioseg.workflows.promotion import promote
from napari_bioseg.workflows.pulling import pull_model
from napari_bioseg.workflows.synchronising import check_server

pytestmark = [pytest.mark.ring, pytest.mark.timeout(600)]

RECIPE = {
    "name": "cells",
    "card": {"title": "Cells", "summary": "Cells", "licence": "CC0", "data": "simulated", "split": "by seed"},
    "architecture": {"name": "unet", "arguments": {"dims": 2, "widths": [2, 4]}},
    "input": {"axes": "YX"},
    "classes": [{"value": 1, "name": "cell"}],
    "simulated": [{"generator": "em_membranes", "count": 1, "arguments": {"shape": [2, 64, 64]}}],
    "patch": [32, 32],
    "batch": 2,
    "epochs": 2,
    "steps": 2,
    "seeds": [1, 2],
    "device": "cpu",
}


class Program:
    """A program of MLflow that answers at a port of this machine."""

    def __init__(self, folder: Path, *command: str, ping: str, **environment: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._command = [str(Path(sys.executable).parent / "mlflow"), *command, "--port", str(self.port)]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        told = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PATH": path}
        self._environment = {**os.environ, **told, **environment}
        self._log = (folder / f"{command[0]}.log").open("ab")
        self._ping = ping
        self._process: subprocess.Popen[bytes] | None = None
        # It is killed by the thread of a relay, whose client may begin it again before the kill is over.
        self._changes = threading.Lock()

    def begin(self) -> None:
        with self._changes:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=self._log, stderr=self._log, start_new_session=True
            )

    def answers(self) -> None:
        """Return once it does."""
        while True:
            assert self._process is not None
            assert self._process.poll() is None, Path(self._log.name).read_text()
            with suppress(requests.RequestException):
                requests.get(self.address + self._ping, timeout=10).raise_for_status()
                return
            time.sleep(0.1)

    def tell(self, sign: int) -> None:
        """Give a signal to the program and what it has started."""
        if self._process is not None:
            os.killpg(self._process.pid, sign)

    def kill(self) -> None:
        with self._changes:
            self.tell(signal.SIGKILL)
            if self._process is not None:
                self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        self._log.close()


class Relay(socketserver.ThreadingTCPServer):
    """Passes on what is said to a port, until certain words are heard: then the server dies, or its answer is lost."""

    daemon_threads = True

    def __init__(self, program: Program) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.program, self.deadly, self.lost = program, [], []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def loses_answer(self, said: bytes) -> bool:
        """Hear what is said; each word counts once."""
        for words in [w for w in self.deadly if w in said]:
            self.deadly.remove(words)
            self.program.kill()
        lost = [w for w in self.lost if w in said]
        self.lost = [w for w in self.lost if w not in lost]
        return bool(lost)


class _Passing(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.lost = False
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.server.program.port)) as there:
            threading.Thread(target=self._answer, args=(there,), daemon=True).start()
            while said := self.request.recv(65536):
                self.lost = self.server.loses_answer(said)
                there.sendall(said)

    def _answer(self, there: socket.socket) -> None:
        with suppress(OSError):
            while (said := there.recv(65536)) and not self.lost:
                self.request.sendall(said)
        with suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def mlflow(tmp_path):
    store, artifacts = f"sqlite:///{tmp_path / 'server.db'}", str(tmp_path / "artifacts")
    command = ("server", "--backend-store-uri", store, "--artifacts-destination", artifacts, "--workers", "1")
    program = Program(tmp_path, *command, "--host", "127.0.0.1", ping="/health")
    yield program
    program.close()


@pytest.fixture
def serving(tmp_path, mlflow):
    command = ("models", "serve", "--model-uri", "models:/ours@champion", "--env-manager", "local")
    program = Program(tmp_path, *command, "--host", "127.0.0.1", ping="/ping", MLFLOW_TRACKING_URI=mlflow.address)
    yield program
    program.close()


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("BIOSEG_RUNS", str(tmp_path / "data"))
    monkeypatch.setenv("BIOSEG_MODELS", str(tmp_path / "zoo"))
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)


def _train(recipe: Path, run: Path) -> Path:
    """Train in a process of its own: triton, which optimisers load, and Mesa, which windows load, bring two LLVMs."""
    recipe.write_text(Recipe.checked(RECIPE, "test").to_yaml())
    code = "from napari_bioseg.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, "train", recipe, "--out", run], check=True)
    return run / "cells"


def test_from_offline_to_served(tmp_path, mlflow, serving, monkeypatch):
    run = tmp_path / "run"
    mlflow.begin()
    model = _train(tmp_path / "recipe.yaml", run)
    mlflow.answers()
    relay = Relay(mlflow)

    # It is killed while it takes the files of the first run.
    relay.deadly = [b"PUT /"]
    report = sync(relay.address)
    assert [row.state for row in report.runs] == ["failed", "pending", "pending"]
    assert all("cannot be reached" in row.why for row in report.runs)
    mlflow.begin()
    mlflow.answers()
    # It does what it is asked for, and the answer is lost: MLflow asks once more, so that some is there twice.
    relay.lost = [b"runs/create", b"logged-models", b"model-versions/create", b"log-batch"]
    assert [row.state for row in sync(relay.address).runs] == ["sent"] * 3
    assert not relay.lost
    assert [row.state for row in sync(relay.address).runs] == ["there already"] * 3
    # The same server by another name, and a copy of the run on another machine.
    promote(model, "ours")
    shutil.copytree(run, tmp_path / "elsewhere" / "run")
    assert sync(mlflow.address, [tmp_path / "elsewhere" / "run"]).whole
    serving.begin()
    _look(mlflow.address, run)
    image = np.random.default_rng(0).random((2, 40, 48)).round(3)
    wanted = [segment(image_from_array(plane.astype(np.float32), "YX"), model="ours").labels for plane in image]
    weights = (find_model("ours") / "weights.safetensors").read_bytes()
    monkeypatch.setenv("BIOSEG_MODELS", str(tmp_path / "another"))
    assert (pull_model("ours", tracking_uri=mlflow.address) / "weights.safetensors").read_bytes() == weights

    serving.answers()
    answer = requests.post(f"{serving.address}/invocations", json={"inputs": image.tolist()}, timeout=60)
    for labels, plane in zip(answer.json()["predictions"], wanted, strict=True):
        assert np.array_equal(labels, plane)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "_PATIENCE", (0.5, 0.5))
        mlflow.tell(signal.SIGSTOP)
        assert "does not answer" in check_server(mlflow.address)
        mlflow.tell(signal.SIGCONT)


def _look(uri: str, folder: Path) -> None:
    """All of the run is there, and all of it once."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.get_experiment_by_name("napari-bioseg").experiment_id
    there = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert len(client.search_runs([experiment])) == len(there)
    assert set(there) == {"run", "run/member-1", "run/member-2"}
    whole = there.pop("run")
    for name, run in there.items():
        assert run.data.tags["mlflow.parentRunId"] == whole.info.run_id
        lines = [line for line in Run(folder.parent / name).metrics() if "epoch" in line]
        assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")] == [
            (line["epoch"], line["loss"]) for line in lines
        ]
    files = {file.path for file in client.list_artifacts(whole.info.run_id)}
    assert files >= {"recipe.yaml", "environment.json", "metrics.jsonl", "card.yaml"}
    (made,) = client.get_run(whole.info.run_id).outputs.model_outputs
    assert [(m.model_id, str(m.status)) for m in client.search_logged_models([experiment])] == [
        (made.model_id, "READY")
    ]
    for name in ("cells", "ours"):
        (version,) = client.search_model_versions(f"name = '{name}'")
        assert version.run_id == whole.info.run_id
    assert client.get_model_version_by_alias("ours", "champion").version == version.version
