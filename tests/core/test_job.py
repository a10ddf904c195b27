from __future__ import annotations

import threading
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.core import Cancelled, Job, Progress, format_duration


def test_a_listener_hears_each_step():
    heard: list[Progress] = []
    job = Job(heard.append)
    job.stage("Segmenting", 3)
    job.step()
    job.step(2)
    assert [(p.message, p.done, p.total) for p in heard] == [("Segmenting", d, 3) for d in (0, 1, 3)]


def test_remaining_time_is_by_the_mean_pace():
    assert Progress(0, 10, 5.0, "x").remaining is None
    assert Progress(3, 0, 5.0, "x").remaining is None
    assert Progress(2, 10, 5.0, "x").remaining == pytest.approx(20)
    # What a run had done before it was resumed took none of the time.
    assert Progress(6, 10, 5.0, "x", before=4).remaining == pytest.approx(10)
    assert Progress(4, 10, 5.0, "x", before=4).remaining is None
    assert str(Progress(2, 10, 5.0, "Reading")) == "Reading 2/10, 20 s left"
    assert str(Progress(2, 0, 5.0, "Reading")) == "Reading"


def test_a_cancelled_job_stops_at_its_next_step():
    job = Job()
    job.stage("Segmenting", 2)
    job.step()
    job.check()
    job.cancel()
    assert job.cancelled
    with pytest.raises(Cancelled, match="Segmenting"):
        job.step()
    with pytest.raises(Cancelled):
        job.check()


def test_a_part_of_a_job_stops_with_it():
    job = Job()
    part = job.part()
    job.cancel()
    with pytest.raises(Cancelled):
        part.step()


def test_a_remark_is_kept_once():
    job = Job()
    for text in ("a", "b", "a"):
        job.note(text)
    assert job.notes == ["a", "b"]


def test_steps_of_several_threads_all_count():
    heard: list[Progress] = []
    job = Job(heard.append)
    job.stage("x", 400)
    threads = [threading.Thread(target=lambda: [job.step() for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(p.done for p in heard) == 400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (3720, "1 h 02 min"),
    ],
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


@given(st.floats(0, 1e6))
def test_a_duration_never_shows_sixty(seconds):
    # 60 h is a duration like any other.
    assert not {"60 s", "60 min"} & {" ".join(pair) for pair in pairwise(format_duration(seconds).split())}


@pytest.mark.parametrize("end", ["go_on", "cancel", "finish"])
def test_a_paused_job_waits_at_its_next_step(end: str):
    job, heard, over = Job(), [], threading.Event()
    job.pause()

    def work() -> None:
        with suppress(Cancelled):
            job.step()
            heard.append("on")
        over.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert not over.wait(0.05)
    assert job.paused
    getattr(job, end)()
    assert over.wait(30)
    thread.join()
    assert heard == ([] if end == "cancel" else ["on"])
    assert job.finishing == (end == "finish")
    assert not job.paused


def test_a_pause_that_comes_after_the_stop_holds_nothing_up():
    job = Job()
    job.finish()
    job.pause()
    job.step()


def test_a_pause_does_not_count_as_time_of_the_work(monkeypatch: pytest.MonkeyPatch):
    clock, heard = [0.0], []
    monkeypatch.setattr("napari_bioseg.core.job.time.monotonic", lambda: clock[0])
    job = Job(heard.append)
    job.stage("Training", 2)
    clock[0] += 2
    job.pause()

    def later() -> None:
        clock[0] += 100
        job.go_on()

    timer = threading.Timer(0.1, later)
    timer.start()
    job.step()
    timer.join()
    job.step()
    assert heard[-1].elapsed == 2


def test_a_job_stands_where_one_in_another_process_stands():
    heard: list[Progress] = []
    job = Job(heard.append)
    job.show(Progress(6, 10, 500.0, "Training", 4))
    (shown,) = heard
    assert (shown.done, shown.total, shown.message, shown.before) == (6, 10, "Training", 4)
    assert shown.remaining == pytest.approx(1000, rel=0.1)
