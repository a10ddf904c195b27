"""`sync`: the runs of this machine to a tracking server, each once; what is here stays whole whatever happens there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from napari_bioseg.core.errors import BiosegError, ServerError
from napari_bioseg.core.job import Job
from napari_bioseg.runs import find_run, known_runs
from napari_bioseg.runs.mirror import Mirror, opened
from napari_bioseg.runs.mlflow import told
from napari_bioseg.runs.parts import with_parts
from napari_bioseg.runs.server import address, probe
from napari_bioseg.runs.sync_state import note_sync, read_sync
from napari_bioseg.workflows.run_contents import contents_of
from napari_bioseg.workflows.zoo_mirror import ZooMirror


@dataclass(frozen=True)
class SyncedRun:
    """What became of one run.

    Attributes
    ----------
    folder : Path
    name : str
    state : {"sent", "there already", "pending", "failed"}
        Pending: it was not come to, since the server went away.
    why : str or None
        Why it is not there, in one line.
    page : str or None
        Its address in a browser; None for a local store.
    """

    folder: Path
    name: str
    state: Literal["sent", "there already", "pending", "failed"]
    why: str | None = None
    page: str | None = None


@dataclass(frozen=True)
class SyncReport:
    """What `sync` did.

    Attributes
    ----------
    tracking_uri : str
    runs : tuple of SyncedRun
        Those that are parts of another one come after it.
    why : str or None
        What went wrong with the registry of models, in one line.
    """

    tracking_uri: str
    runs: tuple[SyncedRun, ...]
    why: str | None = None

    @property
    def whole(self) -> bool:
        """Whether all is there now."""
        return self.why is None and all(run.state in {"sent", "there already"} for run in self.runs)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        runs = [{**asdict(run), "folder": str(run.folder)} for run in self.runs]
        return {"tracking_uri": self.tracking_uri, "runs": runs, "why": self.why}


def sync(
    tracking_uri: str | None = None, runs: Iterable[str | Path] | None = None, *, job: Job | None = None
) -> SyncReport:
    """Mirror runs to an MLflow tracking server: again and again, after a break, from two machines.

    Each run is there once, with the times at which it happened, its curves, files and model; one that has gone on
    since the last time gets what is new. Models are versions of a registered model with the name that they have in the
    zoo, or their own, and its alias ``champion`` follows `promote` and `roll_back`.

    Parameters
    ----------
    tracking_uri : str, optional
        ``http://SERVER:PORT`` or ``sqlite:////FOLDER/mlflow.db``; none: that of ``MLFLOW_TRACKING_URI``, else a store
        in the user's data folder.
    runs : iterable of path, optional
        Folders of runs; none: all that are known on this machine.
    job : Job, optional
        For progress, and for stopping after the run at work.

    Returns
    -------
    SyncReport
        What went wrong with one run, and does not keep the others from being sent, is said there.

    Raises
    ------
    MissingDependencyError
        MLflow is not installed.
    ServerError
        The server is not there, or takes nothing; nothing here has changed.
    RecipeError
        The address is none, or holds a password.
    UnreadableFileError
        A folder is no run.
    Cancelled
        The job was stopped.
    """
    job, uri = job or Job(), address(tracking_uri)
    folders = with_parts(known_runs() if runs is None else [find_run(Path(run)).folder for run in runs])
    job.stage(f"Synchronising with {uri}", len(folders))
    try:
        with opened(uri) as mirror:
            return _send_all(mirror, folders, job)
    except ServerError as error:
        _wait(uri, folders, error.problem)
        raise


def check_server(uri: str | None = None) -> str | None:
    """Ask whether runs could be sent to an address; at most some seconds.

    Returns
    -------
    str or None
        What is wrong, in one line; None where nothing is.
    """
    try:
        return probe(address(uri))
    except BiosegError as error:
        return str(error)


def _send_all(mirror: Mirror, folders: Sequence[Path], job: Job) -> SyncReport:
    zoo, done, gone, why = ZooMirror(mirror), [], None, None
    for folder in folders:
        if gone is not None:
            done.append(SyncedRun(folder, folder.name, "pending", gone))
            continue
        run = _send(mirror, zoo, folder)
        done.append(run)
        gone = probe(mirror.uri) if run.state == "failed" else None
        job.step()
    _wait(mirror.uri, [run.folder for run in done if run.state == "pending"], gone)
    try:
        if gone is None:
            with told(mirror.uri):
                zoo.follow()
    except BiosegError as error:
        why = str(error)
    return SyncReport(mirror.uri, tuple(done), why)


def _send(mirror: Mirror, zoo: ZooMirror, folder: Path) -> SyncedRun:
    """Send one run; what goes wrong is noted in it."""
    try:
        with told(mirror.uri):
            contents, model = contents_of(folder)
            before = mirror.has(contents)
            there = before or mirror.send(contents)
            if model is not None:
                zoo.put(model, there)
            if before is None:
                mirror.finish(there, contents)
            page = mirror.page(there)
        note_sync(folder, mirror.uri, "synced", digest=contents.digest, page=page)
    except BiosegError as error:
        with suppress(BiosegError):
            note_sync(folder, mirror.uri, "failed", why=str(error))
        return SyncedRun(folder, folder.name, "failed", str(error))
    return SyncedRun(folder, contents.info.name, "there already" if before else "sent", page=page)


def _wait(uri: str, folders: Iterable[Path], why: str | None) -> None:
    """Note of runs that they wait for their server, unless they are there."""
    for folder in folders:
        with suppress(BiosegError):
            known = read_sync(folder).get(uri)
            if known is None or known.state != "synced":
                note_sync(folder, uri, "pending", why=why)
