import io
import os
import signal
import sys

import pytest

from napari_bioseg.cli.console import console_job


class _Interrupting(io.RawIOBase):
    """A terminal at which Ctrl-C is pressed while a line is being written."""

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        signal.raise_signal(signal.SIGINT)
        return len(bytes(data))  # type: ignore[call-overload, no-any-return]


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_in_the_middle_of_a_line_cancels(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with console_job() as job:
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(_Interrupting())))
        job.stage("Segmenting", 4)
        monkeypatch.undo()
        assert job.cancelled
    assert "press Ctrl-C again" in capfd.readouterr().err


def test_a_warning_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    with console_job() as job:
        job.stage("Looking at the whole of the image, slowly", 4)
        job.warn("noise 3x")
        job.stage("Detecting", 4)
    shown = [line.split("\r")[-1].rstrip() for line in screen.getvalue().split("\n")]
    assert shown[0] == "warning: noise 3x"
