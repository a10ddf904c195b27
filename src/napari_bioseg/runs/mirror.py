"""One run to a tracking server: each has it once, and nothing of it is missing, whatever broke off before.

A run bears the tag ``bioseg.run_id``. It is ``sending`` until all of it is there, then ``done``, with the digest of
what was sent. What broke off is gone on with: values and files that come again are there once. Where lines that were
sent have changed since, the run on the server is removed, and sent anew; but a copy of a run that another machine has
gone on with since, and sent, changes nothing.
"""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_bioseg.runs.contents import Contents
from napari_bioseg.runs.info import milliseconds
from napari_bioseg.runs.mlflow import connected, experiment_id, log_params, log_points, set_tags
from napari_bioseg.runs.server import is_server

EXPERIMENT = "napari-bioseg"
_ID, _STATE, _DIGEST, _STAMP, _UNTIL, _SENT = (
    f"bioseg.{name}" for name in ("run_id", "state", "digest", "lines", "until", "sent")
)
_STATUS = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}


class Mirror:
    """The experiment of a server that our runs are in.

    Parameters
    ----------
    uri : str
        As of `server.address`.
    client : MlflowClient
    """

    def __init__(self, uri: str, client: Any) -> None:
        self.uri, self.client = uri, client
        self.experiment = experiment_id(client, uri, EXPERIMENT)

    def find(self, run_id: str) -> Any:
        """Return the server's run of an id of ours, or None; of several, which two machines made, the first is kept."""
        found = self.client.search_runs([self.experiment], f"tags.`{_ID}` = '{run_id}'")
        # Start times are those of the training: alike for all.
        found = sorted(found, key=lambda run: (run.data.tags.get(_SENT, ""), run.info.run_id))
        for double in found[1:]:
            self.client.delete_run(double.info.run_id)
        return found[0] if found else None

    def has(self, contents: Contents) -> str | None:
        """Return the server's id of a run that is all there as it is now, or even as it was later; else None."""
        run = self.find(contents.info.id)
        tags = run.data.tags if run is not None else {}
        whole = tags.get(_STATE) == "done" and tags.get(_DIGEST) == contents.digest
        return str(run.info.run_id) if whole or tags.get(_UNTIL, "") > contents.until else None

    def send(self, contents: Contents) -> str:
        """Send what of a run the server does not have, and return its id there; `finish` is to follow."""
        run = self.find(contents.info.id)
        sent = _sent_lines(run, contents)
        if run is not None and sent is None:
            self.client.delete_run(run.info.run_id)
            run = None
        if run is None:
            self._create(contents)
            run, sent = self.find(contents.info.id), 0
        there = str(run.info.run_id)
        set_tags(self.client, there, _begun(contents))
        log_params(self.client, there, contents.params)
        log_points(self.client, there, list(contents.points(sent or 0)))
        for name, path in contents.files.items():
            self.client.log_artifact(there, str(path), str(Path(name).parent) if "/" in name else None)
        for name, picture in contents.pictures.items():
            self.client.log_image(there, picture, artifact_file=name)
        return there

    def finish(self, there: str, contents: Contents) -> None:
        """Say that all of a run is on the server."""
        parent = self.find(contents.info.parent) if contents.info.parent else None
        nested = {"mlflow.parentRunId": parent.info.run_id} if parent is not None else {}
        set_tags(self.client, there, contents.tags | nested)
        ended = milliseconds(contents.info.ended) if contents.info.ended else None
        if ended is None:
            self.client.update_run(there, status="RUNNING")
        else:
            self.client.set_terminated(there, _STATUS[contents.info.status], ended)
        set_tags(self.client, there, {_STATE: "done", _DIGEST: contents.digest})

    def page(self, there: str) -> str | None:
        """Return the address of a run in a browser; None for a local store."""
        return f"{self.uri}/#/experiments/{self.experiment}/runs/{there}" if is_server(self.uri) else None

    def _create(self, contents: Contents) -> None:
        tags = {
            _ID: contents.info.id,
            **_begun(contents),
            _SENT: f"{time.time():.3f}",
            "mlflow.user": getpass.getuser(),
            "mlflow.source.name": "napari-bioseg",
            "mlflow.source.type": "LOCAL",
        }
        start = milliseconds(contents.info.started)
        self.client.create_run(self.experiment, start_time=start, tags=tags, run_name=contents.info.name)


@contextmanager
def opened(uri: str) -> Iterator[Mirror]:
    """Yield the mirror at an address.

    Raises
    ------
    MissingDependencyError, ServerError, UnwritableFileError
        As for `connected`.
    """
    with connected(uri) as client:
        yield Mirror(uri, client)


def _begun(contents: Contents) -> dict[str, str]:
    # What is about to be sent, before it is: when it breaks off, some of these lines are there, and no others.
    return {_STATE: "sending", _STAMP: contents.stamp(), _UNTIL: contents.until}


def _sent_lines(run: Any, contents: Contents) -> int | None:
    """Return how many lines the server is sure to have; None where it has some that are no longer so."""
    if run is None:
        return 0
    stamp = run.data.tags.get(_STAMP, "")
    count = stamp.partition(":")[0]
    if not count.isdecimal() or contents.stamp(int(count)) != stamp:
        return None
    return int(count) if run.data.tags.get(_STATE) == "done" else 0
