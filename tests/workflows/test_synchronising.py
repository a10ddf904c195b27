"""Runs, models and champions in a tracking store: once, whole, and whatever broke off before."""

from __future__ import annotations

import json
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_bioseg import sync
from napari_bioseg.core import Cancelled, Job
from napari_bioseg.core.errors import (
    BrokenModelError,
    MissingDependencyError,
    ModelNotFoundError,
    RecipeError,
    ServerError,
    UnreadableFileError,
)
from napari_bioseg.models import find_model, read_card
from napari_bioseg.runs import Run
from napari_bioseg.runs.curves import write_curves
from napari_bioseg.runs.info import milliseconds as _ms
from napari_bioseg.runs.info import now
from napari_bioseg.runs.lock import at_work
from napari_bioseg.runs.sync_state import read_sync
from napari_bioseg.workflows.promotion import promote, roll_back
from napari_bioseg.workflows.pulling import pull_model
from napari_bioseg.workflows.synchronising import check_server

MakeRun = Callable[..., Path]


@pytest.fixture(autouse=True)
def uri(mlflow_store: str) -> str:
    """The store that is used where none is given."""
    return mlflow_store


@pytest.fixture
def make_run(tmp_path: Path, tiny_zoo: Path) -> MakeRun:
    """Return how to make a training that came to its end, with the tiny model as what it made."""

    from napari_bioseg.models.model import read_model, write_model

    def make(at: str, epochs: int = 3, model: str | None = "tiny2d", family: str = "", **changes: Any) -> Path:
        """The weights differ from run to run; `family` is the name on the card."""
        run = Run(tmp_path / at)
        run.start("name: x\nnet: {widths: [2, 4]}\n", **changes)
        lines = [
            {"epoch": e, "loss": 1 / e, "system": {"cpu_utilization_percentage": 50.0}} for e in range(1, epochs + 1)
        ]
        (run.folder / "metrics.jsonl").write_text("".join(json.dumps({"time": now(), **x}) + "\n" for x in lines))
        if model:
            found = read_model(tiny_zoo / model)
            found.network.head.bias.data += len(at) / 100 + ord(at[0]) / 1000
            card = found.card.model_copy(update={"name": family or model})
            write_model(run.folder / "x", card, found.network, "# x\n")
        run.end("finished")
        return run.folder

    return make


@pytest.fixture
def client(uri: str) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture
def runs(client: Any) -> Callable[[], dict[str, Any]]:
    """Return what is in the store, by name; a name that is there twice fails."""

    def look() -> dict[str, Any]:
        experiment = client.get_experiment_by_name("napari-bioseg").experiment_id
        found = client.search_runs([experiment])
        assert len({run.info.run_name for run in found}) == len(found)
        return {run.info.run_name: run for run in found}

    return look


def states(report: Any) -> list[str]:
    return [run.state for run in report.runs]


def history(client: Any, run: Any, key: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)]


def artifacts(client: Any, run: Any) -> set[str]:
    return {file.path for file in client.list_artifacts(run.info.run_id)}


def test_a_run_is_there_once_with_all_that_belongs_to_it(make_run: MakeRun, client: Any, runs: Any) -> None:
    folder = make_run("first", tags={"image": "a.tif"})
    rng = np.random.default_rng(0)
    planes = {name: rng.random((2, 16, 16)) for name in ("image", "probability")}
    np.savez(folder / "preview.npz", **planes, target=rng.integers(0, 2, (2, 16, 16)), epoch=3, held_out=True)
    write_curves(folder, Run(folder).metrics())
    report = sync()
    assert (states(report), report.whole) == (["sent"], True)
    assert states(sync()) == ["there already"]
    run = runs()["first"]
    info = Run(folder).info
    assert info is not None
    assert (run.info.status, run.data.params) == ("FINISHED", {"name": "x", "net.widths": "[2, 4]"})
    assert [run.info.start_time, run.info.end_time] == [_ms(info.started), _ms(info.ended or "")]
    assert (run.data.tags["bioseg.run_id"], run.data.tags["bioseg.image"]) == (info.id, "a.tif")
    assert history(client, run, "loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert history(client, run, "system/cpu_utilization_percentage")[0] == (1, 50.0)
    times = [_ms(line["time"]) for line in Run(folder).metrics()]
    assert [m.timestamp for m in client.get_metric_history(run.info.run_id, "loss")] == times
    assert artifacts(client, run) == {
        "README.md", "card.yaml", "curves.png", "environment.json", "metrics.jsonl", "preview-1.png", "preview-2.png",
        "recipe.yaml",
    }  # fmt: skip
    (made,) = client.get_run(run.info.run_id).outputs.model_outputs
    assert client.get_logged_model(made.model_id).status == "READY"
    # Not where the program happens to be.
    assert run.info.artifact_uri.startswith((folder.parent / "data" / "mlflow").as_uri())
    state = read_sync(folder)[report.tracking_uri]
    assert (state.state, state.digest) == ("synced", run.data.tags["bioseg.digest"])


def test_a_run_that_went_on_gets_what_is_new(make_run: MakeRun, client: Any, runs: Any) -> None:
    folder = make_run("run", model=None)
    sync()
    there = runs()["run"].info.run_id
    Run(folder).log(epoch=4, loss=0.25)
    Run(folder).end("failed", "the disk is full")
    assert states(sync()) == ["sent"]
    run = runs()["run"]
    assert (run.info.run_id, run.info.status, run.data.tags["bioseg.why"]) == (there, "FAILED", "the disk is full")
    assert history(client, run, "loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3), (4, 0.25)]


def test_a_run_whose_lines_are_others_now_is_sent_anew(make_run: MakeRun, client: Any, runs: Any) -> None:
    folder = make_run("run", model=None)
    sync()
    Run(folder).keep_metrics(lambda line: line["epoch"] < 3)
    Run(folder).log(epoch=3, loss=7.0)
    Run(folder).end("finished")
    assert states(sync()) == ["sent"]
    assert history(client, runs()["run"], "loss") == [(1, 1.0), (2, 0.5), (3, 7.0)]


ASKED = (
    "create_run", "log_batch", "log_artifact", "create_logged_model", "log_model_artifacts", "finalize_logged_model",
    "log_outputs", "create_registered_model", "create_model_version", "set_terminated",
)  # fmt: skip


def test_what_broke_off_is_gone_on_with(make_run: MakeRun, client: Any, runs: Any) -> None:
    """Each thing that is asked of the store is done, once for each run, and then the connection is lost."""
    for name in ASKED:
        folder = make_run(name, family=name)
        with pytest.MonkeyPatch.context() as patch:
            _lose_connection_after(patch, name)
            (run,) = sync(runs=[folder]).runs
        assert run.state == "failed"
        assert "lost" in str(run.why)
        assert read_sync(folder)[_only(read_sync(folder))].state == "failed"
    assert set(states(sync())) == {"sent"}
    assert set(states(sync())) == {"there already"}
    _all_there(client, runs(), ASKED)


def _lose_connection_after(patch: pytest.MonkeyPatch, name: str) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    whole = getattr(MlflowClient, name)

    def call(*arguments: Any, **named: Any) -> None:
        whole(*arguments, **named)
        raise MlflowException("connection lost")

    patch.setattr(MlflowClient, name, call)


def _only(values: Any) -> Any:
    (value,) = values
    return value


def _all_there(client: Any, found: dict[str, Any], names: Sequence[str]) -> None:
    """Each run has its curve and files, one model that is whole, and one version of it."""
    assert set(found) == set(names)
    for name, run in found.items():
        assert run.info.status == "FINISHED"
        assert run.data.tags["bioseg.state"] == "done"
        assert history(client, run, "loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
        assert artifacts(client, run) >= {"recipe.yaml", "metrics.jsonl", "card.yaml"}
        model = client.get_logged_model(_only(client.get_run(run.info.run_id).outputs.model_outputs).model_id)
        version = _only(client.search_model_versions(f"name = '{name}'"))
        assert (model.status, version.run_id) == ("READY", run.info.run_id)
    logged = client.search_logged_models([run.info.experiment_id])
    assert len(logged) == len(names)


def test_doubles_that_two_machines_made_are_removed(make_run: MakeRun, client: Any, runs: Any) -> None:
    folder = make_run("run", family="x")
    sync()
    run = runs()["run"]
    tags = {"bioseg.run_id": run.data.tags["bioseg.run_id"], "bioseg.state": "sending", "bioseg.sent": "9999999999"}
    client.create_run(run.info.experiment_id, tags=tags, run_name="run")
    version = _only(client.search_model_versions("name = 'x'"))
    client.create_model_version("x", version.source, tags=version.tags, run_id=run.info.run_id)
    assert states(sync(runs=[folder])) == ["there already"]
    assert runs()["run"].info.run_id == run.info.run_id
    assert _only(client.search_model_versions("name = 'x'")).version == version.version


def test_a_copy_that_was_left_behind_changes_nothing(
    make_run: MakeRun, client: Any, runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    folder = make_run("run", model=None)
    sync()
    shutil.copytree(folder, tmp_path / "elsewhere" / "run")
    run = Run(folder)
    run.log(time="2099-01-01T00:00:00+00:00", epoch=4, loss=0.25)
    sync()
    monkeypatch.setenv("BIOSEG_RUNS", str(tmp_path / "other"))
    assert states(sync(uri, [tmp_path / "elsewhere" / "run"])) == ["there already"]
    assert len(history(client, runs()["run"], "loss")) == 4


def test_parts_are_nested_in_their_run(make_run: MakeRun, runs: Any) -> None:
    folder = make_run("whole")
    info = Run(folder).info
    assert info is not None
    for name in ("fold-1", "fold-2/member-1"):
        make_run(f"whole/{name}", model=None, parent=info.id, name=f"whole/{name}")
    report = sync()
    assert [run.name for run in report.runs] == ["whole", "whole/fold-1", "whole/fold-2/member-1"]
    found = runs()
    parents = {name: run.data.tags.get("mlflow.parentRunId") for name, run in found.items()}
    there = found["whole"].info.run_id
    assert parents == {"whole": None, "whole/fold-1": there, "whole/fold-2/member-1": there}
    # One that is asked for brings the others with it.
    assert states(sync(runs=[folder / "fold-1"])) == ["there already"] * 3


def test_a_batch_has_its_report_and_registers_no_model(make_run: MakeRun, client: Any, runs: Any) -> None:
    folder = make_run("out/run", kind="batch", name="out")
    for name in ("report.html", "summary.csv"):
        (folder.parent / name).write_text("x")
    sync()
    run = runs()["out"]
    assert run.data.tags["bioseg.kind"] == "batch"
    assert {"report.html", "summary.csv"} < artifacts(client, run)
    assert not client.search_registered_models()


def test_a_run_that_was_killed_is_one_that_failed(make_run: MakeRun, runs: Any) -> None:
    folder = make_run("run", model=None)
    Run(folder).start("name: x\nnet: {widths: [2, 4]}\n")
    with at_work(folder):
        sync()
        assert runs()["run"].info.status == "RUNNING"
    sync()
    run = runs()["run"]
    assert (run.info.status, run.info.end_time) == ("FAILED", _ms(list(Run(folder).metrics())[-1]["time"]))
    assert "killed" in run.data.tags["bioseg.why"]


@pytest.mark.parametrize(("model", "status"), [("tiny2d", "FINISHED"), (None, "KILLED")])
def test_a_run_of_an_older_version_gets_an_id_and_is_sent(
    make_run: MakeRun, runs: Any, model: str | None, status: str
) -> None:
    folder = make_run("old", model=model)
    (folder / "run.json").unlink()
    assert states(sync()) == ["sent"]
    assert runs()["old"].info.status == status
    assert states(sync()) == ["there already"]


def champion(client: Any, name: str) -> Any:
    return client.get_model_version_by_alias(name, "champion")


def test_the_champion_of_the_registry_is_that_of_the_zoo(
    make_run: MakeRun, client: Any, tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = make_run("old", family="x"), make_run("new", family="x")
    sync()
    # Not promoted yet: under their own name, and none is the champion.
    assert len(client.search_model_versions("name = 'x'")) == 2
    assert not client.get_registered_model("x").aliases
    for folder in (old, new):
        promote(folder, "tiny2d")
        sync()
        assert champion(client, "tiny2d").tags["bioseg.sha256"] == read_card(folder / "x").sha256
    roll_back("tiny2d")
    sync()
    assert champion(client, "tiny2d").tags["bioseg.sha256"] == read_card(old / "x").sha256
    # The model that had the name before was made by no run here.
    roll_back("tiny2d", 1)
    sync()
    first = champion(client, "tiny2d")
    assert first.tags["bioseg.sha256"] == read_card(find_model("tiny2d@1")).sha256
    assert len(client.search_model_versions("name = 'tiny2d'")) == 3
    # Another machine has promoted something, but long ago.
    shutil.copytree(tiny_zoo, tmp_path / "zoo2")
    monkeypatch.setenv("BIOSEG_MODELS", str(tmp_path / "zoo2"))
    path = tmp_path / "zoo2" / "tiny2d" / "history.jsonl"
    roll_back("tiny2d", 2)
    events = [json.loads(line) | {"time": "2020-01-01T00:00:00+00:00"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    sync()
    assert champion(client, "tiny2d").version == first.version


def test_a_model_comes_from_the_registry(
    make_run: MakeRun, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run("run")
    promote(folder, "cells")
    sync()
    monkeypatch.setenv("BIOSEG_MODELS", str(tmp_path / "other"))
    pulled = pull_model("cells")
    assert pulled == tmp_path / "other" / "cells" / "versions" / "1" == find_model("cells")
    assert (pulled / "weights.safetensors").read_bytes() == (folder / "x" / "weights.safetensors").read_bytes()
    assert read_card(pulled).scores == read_card(folder / "x").scores
    job = Job()
    assert pull_model("cells", "1", job=job) == pulled
    assert "has these weights already" in job.notes[0]
    assert pull_model("cells", family="friend").parents[1].name == "friend"
    for wrong in ("7", "best"):
        with pytest.raises(ModelNotFoundError, match="not in the registry"):
            pull_model("cells", wrong)
    with pytest.raises(ModelNotFoundError, match="nothing"):
        pull_model("nothing")
    source = Path(champion(client, "cells").source.removeprefix("file://"))
    (source / "data" / "model" / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(BrokenModelError, match="sha256"):
        pull_model("cells", family="another")
    client.create_registered_model("foreign")
    client.create_model_version("foreign", source.as_uri())
    with pytest.raises(BrokenModelError, match="not put into the registry by napari-bioseg"):
        pull_model("foreign", "1")


def test_the_model_is_served_as_mlflow_wants_it(make_run: MakeRun, client: Any) -> None:
    from mlflow import pyfunc

    sync(runs=[make_run("run", family="x")])
    source = _only(client.search_model_versions("name = 'x'")).source
    served = pyfunc.load_model(source)
    assert served.metadata.signature.inputs.inputs[0].shape == (-1, -1, -1)
    assert served.metadata.get_input_schema().input_types()[0] == np.float32
    example = served.input_example
    labels = served.predict(example)
    assert (labels.dtype, labels.shape) == (np.uint32, example.shape)
    requirements = (Path(source.removeprefix("file://")) / "requirements.txt").read_text()
    assert "napari-bioseg==" in requirements


def test_a_server_that_is_not_there_leaves_all_as_it_is(make_run: MakeRun, uri: str) -> None:
    folder = make_run("run", model=None)
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    before = sorted(p.name for p in folder.iterdir())
    for _ in range(2):
        with pytest.raises(ServerError, match="cannot be reached"):
            sync(dead)
    state = read_sync(folder)[dead]
    assert (state.state, "cannot be reached" in str(state.why)) == ("pending", True)
    assert sorted(p.name for p in folder.iterdir()) == sorted([*before, "sync.json"])
    assert "cannot be reached" in str(check_server(dead))
    assert check_server(uri) is None
    assert "password" in str(check_server("http://a:b@c"))


def test_a_disk_that_is_full_is_told_and_the_rest_comes_later(make_run: MakeRun, runs: Any, uri: str) -> None:
    folder = make_run("run", epochs=400, model=None)
    sync(runs=[])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(uri.removeprefix("sqlite:///")).stat().st_size, limits[1]))
    try:
        (run,) = sync().runs
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert run.state == "failed"
    assert "disk" in str(run.why)
    assert len(str(run.why).splitlines()) == 1
    assert states(sync()) == ["sent"]
    assert runs()["run"].data.metrics["loss"] == 1 / 400
    assert read_sync(folder)[uri].state == "synced"


def test_a_damaged_run_does_not_keep_the_others(make_run: MakeRun, runs: Any) -> None:
    for name in ("bad", "good"):
        make_run(name, model=None)
    (Path(sync().runs[0].folder) / "recipe.yaml").write_text("no: [mapping")
    Run(Path(sync().runs[1].folder)).log(epoch=4, loss=0.1)
    report = sync()
    assert (states(report), report.whole) == (["failed", "sent"], False)
    assert "not valid YAML" in str(report.runs[0].why)
    assert report.as_dict()["runs"][0]["folder"] == str(report.runs[0].folder)


def test_a_stop_comes_after_the_run_at_work(make_run: MakeRun, runs: Any) -> None:
    for name in ("a", "b"):
        make_run(name, model=None)
    job = Job(lambda progress: job.cancel() if progress.done else None)
    with pytest.raises(Cancelled):
        sync(job=job)
    assert set(runs()) == {"a"}
    assert states(sync()) == ["there already", "sent"]


def test_without_mlflow_it_says_what_to_install(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingDependencyError, match=r"napari-bioseg\[mlflow\]"):
        sync(runs=[make_run("run", model=None)])


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no run"):
        sync(runs=[tmp_path])
    with pytest.raises(RecipeError, match="no address"):
        sync("mlruns")


def test_an_experiment_in_the_trash_is_told(make_run: MakeRun, client: Any) -> None:
    make_run("run", model=None)
    client.delete_experiment(client.get_experiment_by_name("napari-bioseg").experiment_id)
    with pytest.raises(ServerError, match=r"in the trash.*mlflow experiments restore"):
        sync()
