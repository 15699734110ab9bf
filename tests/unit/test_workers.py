"""Operations that end in time, whatever hangs in them."""

from __future__ import annotations

import os
import threading
import time

import pytest

from resilient_session._limits._workers import Workers


@pytest.fixture
def workers():
    return Workers(most=2, idle=0.05)


@pytest.fixture
def gate():
    """Something that hangs until the test ends."""
    event = threading.Event()
    yield event
    event.set()


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_result_comes_back(workers):
    assert workers.run(lambda: 5, 10) == 5


def test_error_comes_back(workers):
    with pytest.raises(ZeroDivisionError):
        workers.run(lambda: 1 / 0, 10)
    assert workers.run(lambda: 5, 10) == 5


def test_operation_that_hangs_is_left_in_time(workers, gate):
    with pytest.raises(TimeoutError):
        workers.run(gate.wait, 0.01)


def test_threads_are_few_and_are_used_again():
    workers = Workers(most=2, idle=60)
    names = {workers.run(threading.get_ident, 10) for _ in range(20)}
    assert len(names) <= 2
    assert workers.threads <= 2


def test_operation_beyond_the_most_waits_within_its_own_time(workers, gate):
    begun = []
    for _ in range(2):
        with pytest.raises(TimeoutError):
            workers.run(gate.wait, 0.01)
    with pytest.raises(TimeoutError):
        workers.run(lambda: begun.append(1), 0.01)
    assert workers.threads == 2
    gate.set()
    assert workers.run(lambda: 5, 10) == 5
    assert begun == []


def test_thread_ends_when_nothing_comes(workers):
    workers.run(lambda: 5, 10)
    wait_until(lambda: workers.threads == 0)
    assert workers.run(lambda: 6, 10) == 6


def test_thread_on_which_a_caller_counts_stays_for_its_operation(workers):
    workers.run(lambda: 5, 10)
    for _ in range(2):
        wait_until(lambda: workers._idle._value == 1)
        workers._idle.acquire()  # as a caller does, whose operation another thread took
    assert workers.run(lambda: 6, 10) == 6


def test_machine_without_threads_is_an_error(workers, monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            workers.run(lambda: 5, 10)
    assert workers.threads == 0
    assert workers.run(lambda: 6, 10) == 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_child_has_threads_of_its_own(workers, gate):
    with pytest.raises(TimeoutError):
        workers.run(gate.wait, 0.01)
    workers._lock.acquire()
    workers.renew()
    assert workers.threads == 0
    assert workers.run(lambda: 5, 10) == 5
