"""Jobs run outside the GUI thread, tell how far they are, stop, and fail in one line."""

from __future__ import annotations

import threading

import pytest

from napari_bioseg.core.errors import Cancelled, RecipeError

pytestmark = pytest.mark.gui


@pytest.fixture
def parent(qtbot):
    from qtpy.QtWidgets import QWidget

    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def notifications():
    from napari.utils.notifications import notification_manager

    before = len(notification_manager.records)
    return lambda: notification_manager.records[before:]


def run(qtbot, task):
    with qtbot.waitSignal(task.finished, timeout=10_000):
        task.start()


def test_work_is_done_elsewhere_and_its_result_arrives_here(qtbot, parent):
    from napari_bioseg.widgets.worker import Task

    threads, results = {}, []

    def work(job):
        threads["work"] = threading.current_thread()
        return 42

    task = Task(work, parent)
    task.succeeded.connect(lambda r: (results.append(r), threads.update(result=threading.current_thread())))
    run(qtbot, task)
    assert results == [42]
    assert threads["work"] is not threads["result"] is threading.main_thread()


def test_progress_arrives_in_the_gui_thread_and_is_thinned_out(qtbot, parent):
    from napari_bioseg.widgets.worker import Task

    seen = []

    def work(job):
        job.stage("Counting", 5000)
        for _ in range(5000):
            job.step()

    task = Task(work, parent)
    task.progressed.connect(lambda p: seen.append((p.done, threading.current_thread())))
    run(qtbot, task)
    assert {thread for _, thread in seen} == {threading.main_thread()}
    assert seen[0][0] == 0
    assert seen[-1][0] == 5000
    assert len(seen) < 500


def test_an_error_of_ours_is_one_line_without_a_traceback(qtbot, parent, notifications):
    from napari.utils.notifications import NotificationSeverity

    from napari_bioseg.widgets.worker import Task

    failed = []

    def work(job):
        raise RecipeError("threshold", "is 7", "Choose 0 to 1")

    task = Task(work, parent)
    task.failed.connect(failed.append)
    run(qtbot, task)
    (note,) = notifications()
    assert note.message == "threshold: is 7. Choose 0 to 1"
    assert note.severity == NotificationSeverity.ERROR
    assert not hasattr(note, "exception")
    assert isinstance(failed[0], RecipeError)


def test_an_expected_error_is_left_to_the_starter(qtbot, parent, notifications):
    from napari_bioseg.widgets.worker import Task

    failed = []
    started = threading.Event()

    def work(job):
        started.set()
        while True:
            job.check()

    task = Task(work, parent, expected=(Cancelled,))
    task.failed.connect(failed.append)
    with qtbot.waitSignal(task.finished, timeout=10_000):
        task.start()
        qtbot.waitUntil(started.is_set, timeout=5_000)
        task.cancel()
    assert isinstance(failed[0], Cancelled)
    assert notifications() == []


def test_a_fault_of_ours_is_shown_by_napari_and_does_not_reach_the_event_loop(qtbot, parent, notifications):
    from napari_bioseg.widgets.worker import Task

    failed = []

    def work(job):
        raise ZeroDivisionError("fault")

    task = Task(work, parent)
    task.failed.connect(failed.append)
    run(qtbot, task)
    assert isinstance(failed[0], ZeroDivisionError)
    assert [type(n.exception) for n in notifications()] == [ZeroDivisionError]


def test_a_job_ends_with_its_panel(qtbot):
    from qtpy.QtWidgets import QWidget

    from napari_bioseg.widgets.worker import Task

    started, stopped = threading.Event(), threading.Event()

    def work(job):
        started.set()
        try:
            while True:
                job.check()
        finally:
            stopped.set()

    widget = QWidget()
    Task(work, widget).start()
    qtbot.waitUntil(started.is_set, timeout=5_000)
    widget.deleteLater()
    qtbot.waitUntil(stopped.is_set, timeout=5_000)


def test_two_workers_leave_warnings_as_they_were(qtbot, parent):
    import warnings

    from napari_bioseg.widgets.worker import Task

    before = warnings.showwarning
    barrier = threading.Barrier(2, timeout=5)
    first, second = Task(lambda _job: barrier.wait(), parent), Task(lambda _job: barrier.wait(), parent)
    ended = []  # not waitSignals: a task is deleted once it has finished, and its signals with it
    for task in (first, second):
        task.finished.connect(lambda: ended.append(True))
        task.start()
    qtbot.waitUntil(lambda: len(ended) == 2, timeout=10_000)
    assert warnings.showwarning is before
