"""A session that is handed to other processes and threads: it works there, and on here as if nothing had been."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import socket
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from resilient_session import attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

AT_MOST = 60.0
"""Seconds; a bound that no child comes near, unless it would never end."""


def busy_at_first():
    """Answer each path with its name, but the first request to each with a 503."""
    seen = set()

    def answer(request):
        known = request.path in seen
        seen.add(request.path)
        return Reply(200, request.path) if known or request.path == "/parent" else Reply(503)

    return answer


@pytest.fixture(params=["fork", "spawn"])
def processes(request):
    """Both ways to start a process: one inherits the session as it is, the other is given a pickle of it."""
    if request.param not in multiprocessing.get_all_start_methods():
        pytest.skip("nothing forks here")
    return multiprocessing.get_context(request.param)


@pytest.fixture
def forked():
    """The way to start a process that inherits what its parent's threads are at."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("nothing forks here")
    return multiprocessing.get_context("fork")


@pytest.fixture(params=["http", "https"])
def server(request, server_tls):
    tls = server_tls if request.param == "https" else None
    with FaultServer(default=busy_at_first(), tls=tls) as running:
        yield running


@pytest.fixture
def warm(server, bundle):
    """A session with an open connection."""
    with resilient_session(backoff_factor=0, logger=None) as session:
        session.verify = bundle
        session.get(server.url("/parent"))
        yield session


def ended_well(process):
    process.start()
    process.join(AT_MOST)
    process.kill()
    return process.exitcode == 0


def statuses(server, path):
    return [request.reply.status for request in server.requests if request.path == path]


def connections(server, *paths):
    return {request.connection for request in server.requests if request.path in paths}


def test_process_retries_and_leaves_the_connection_of_its_parent_alone(processes, server, warm):
    assert ended_well(processes.Process(target=warm.get, args=(server.url("/child"),)))
    assert statuses(server, "/child") == [503, 200]
    assert warm.get(server.url("/parent")).text == "/parent"
    assert connections(server, "/parent") == {1}
    assert connections(server, "/child") == {2}


def test_process_that_closes_the_session_closes_its_own(processes, server, warm):
    assert ended_well(processes.Process(target=warm.close))
    warm.get(server.url("/parent"))
    assert server.connections == 1


def test_executor_of_processes_is_served_by_one_session(processes, server, warm):
    paths = [f"/{number}" for number in range(4)]
    with ProcessPoolExecutor(2, mp_context=processes) as executor:
        answers = list(executor.map(warm.get, map(server.url, paths), timeout=AT_MOST))
    assert [answer.text for answer in answers] == paths
    assert [statuses(server, path) for path in paths] == [[503, 200]] * 4
    warm.get(server.url("/parent"))
    assert connections(server, "/parent") == {1}
    assert 1 not in connections(server, *paths)


def test_forked_process_does_not_wait_for_a_connection_that_its_parent_uses(forked):
    answered = threading.Event()
    with (
        FaultServer() as server,
        resilient_session(pool_maxsize=1, pool_block=True, timeout=(None, None)) as session,
        ThreadPoolExecutor(1) as executor,
    ):
        server.route("/slow", lambda request: Reply(200, "late") if answered.wait(AT_MOST) else Reply(500))
        slow = executor.submit(session.get, server.url("/slow"))
        server.wait_requests(1)
        try:
            assert ended_well(forked.Process(target=session.get, args=(server.url("/child"),)))
        finally:
            answered.set()
        assert slow.result().text == "late"


def test_forked_process_does_not_wait_for_a_lookup_of_its_parent(forked, monkeypatch):
    def getaddrinfo(host, *args, **kwargs):
        if host == "silent.test" and os.getpid() == parent:
            asked.set()
            over.wait(AT_MOST)
        return real("127.0.0.1", *args, **kwargs)

    parent, real, asked, over = os.getpid(), socket.getaddrinfo, threading.Event(), threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with (
        FaultServer() as server,
        resilient_session(timeout=(None, None)) as session,
        ThreadPoolExecutor(1) as executor,
    ):
        url = server.url("/", host="silent.test")
        waiting = executor.submit(session.get, url)
        asked.wait(AT_MOST)
        try:
            assert ended_well(forked.Process(target=session.get, args=(url,)))
        finally:
            over.set()
        assert waiting.result().ok


def test_threads_share_a_session_and_each_gets_its_own_answer(fast_retries):
    turns = itertools.count(1)

    def answer(request):
        turn = next(turns)
        return Reply.reset() if turn % 10 == 0 else Reply(503) if turn % 3 == 0 else Reply(200, request.path)

    paths = [f"/{number}" for number in range(100)]
    with (
        FaultServer(default=answer) as server,
        resilient_session(total=20, logger=None) as session,
        ThreadPoolExecutor(8) as executor,
    ):
        answers = list(executor.map(session.get, map(server.url, paths)))
        assert [answer.text for answer in answers] == paths
        assert sum(len(attempts_of(answer)) for answer in answers) == len(server.requests)
        assert server.connections < len(server.requests) / 2
