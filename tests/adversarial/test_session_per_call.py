"""A session made for each call, and dropped: nothing of it stays, and nobody is warned."""

from __future__ import annotations

import gc
import itertools
import os
import pathlib
import subprocess
import sys
import threading

import pytest
import requests

from resilient_session import resilient_session
from resilient_session.testing import FaultServer, Reply

SCRIPT = pathlib.Path(__file__).parents[1] / "support" / "memory_of_calls.py"
CALLS = int(os.environ.get("CALLS", "500"))
GROWTH = 16 * 1024
"""Bytes that calls may leave, however many: there are caches, and the interpreter has some of its own."""


def descriptors():
    place = pathlib.Path("/proc/self/fd")  # there is no such place but on Linux
    return len(list(place.iterdir())) if place.is_dir() else 0


@pytest.fixture
def server():
    """Every third answer is a 503, every tenth a reset: sessions that retry leave nothing behind, either."""
    turns = itertools.count(1)

    def answer(_):
        turn = next(turns)
        return Reply.reset() if turn % 10 == 0 else Reply(503) if turn % 3 == 0 else Reply(200, "ok")

    with FaultServer(default=answer) as started:
        yield started


@pytest.fixture
def no_collector():
    """Let go of what is counted only, not of cycles: connections must not wait for the collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("fast_retries", "no_collector")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_socket_and_no_thread_outlives_its_session(host, server):
    url = server.url("/", host=host)
    resilient_session(logger=None).get(url)
    assert server.wait_closed()
    before = descriptors(), threading.active_count()
    most = 0
    for _ in range(CALLS):
        assert resilient_session(logger=None).get(url).ok
        most = max(most, descriptors())
    assert server.wait_closed()
    assert most <= before[0] + 8  # a resolver's thread and the server need some for a moment
    assert descriptors() <= before[0]
    assert threading.active_count() <= before[1] + 1  # the thread that looked the name up


@pytest.mark.usefixtures("fast_retries", "no_collector")
def test_calls_that_fail_leave_nothing_either():
    with FaultServer(default=Reply.reset()) as server:
        for _ in range(CALLS // 10):
            with pytest.raises(requests.ConnectionError):
                resilient_session(logger=None).get(server.url("/"))
        assert server.wait_closed()


@pytest.mark.usefixtures("fast_retries", "no_collector")
def test_tls_sessions_close_their_connections(server_tls, bundle):
    with FaultServer(tls=server_tls) as server:
        for _ in range(CALLS // 10):
            assert resilient_session(logger=None).get(server.url("/"), verify=bundle).ok
        assert server.wait_closed()
        assert server.connections == CALLS // 10


@pytest.mark.skipif("COVERAGE_RUN" in os.environ, reason="the record of what is covered grows, too")
def test_memory_does_not_grow():
    program = [sys.executable, SCRIPT, str(CALLS // 5)]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True, timeout=600)  # noqa: S603 - our own
    # a table that is full doubles, once; what leaks grows with each call
    assert min(map(int, done.stdout.split())) <= GROWTH // 5
