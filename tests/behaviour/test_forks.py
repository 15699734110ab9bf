"""A forked child never touches its parent's connections."""

from __future__ import annotations

import os
import sys
import threading
import warnings

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from resilient_session import _install, install, resilient_session
from resilient_session.testing import FaultServer, Reply

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")


class Theirs(HTTPAdapter):
    """An adapter that is driven."""


def in_child(work):
    """Do something in a forked child; return whether it found what it should."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the server's threads, which the child does not need
        child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if work() else 1
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("driven", [False, True])
def test_child_and_parent_each_get_their_own_answers(driven):
    own = requests.Session()
    if driven:
        own.mount("http://", Theirs())
    session = resilient_session(own)
    with FaultServer(default=lambda request: Reply(200, request.path)) as server:
        assert session.get(server.url("/warm")).text == "/warm"
        assert in_child(lambda: all(session.get(server.url(f"/child/{n}")).text == f"/child/{n}" for n in range(5)))
        assert all(session.get(server.url(f"/parent/{n}")).text == f"/parent/{n}" for n in range(5))
    connections = {}
    for request in server.requests:
        connections.setdefault(request.path.split("/")[1], set()).add(request.connection)
    assert connections["warm"] == connections["parent"]
    assert not connections["child"] & connections["parent"]


def test_stream_of_the_parent_is_not_disturbed_by_a_child():
    session = resilient_session()
    with FaultServer(Reply(200, "x" * 200_000), Reply(200, "child")) as server:
        response = session.get(server.url("/"), stream=True)
        first = response.raw.read(10)
        assert in_child(lambda: session.get(server.url("/")).text == "child")
        assert len(first + response.raw.read()) == 200_000


def test_child_that_reads_on_in_a_stream_of_its_parent_gets_an_error_and_no_end():
    session = resilient_session()

    def reads_on():
        try:
            response.raw.read()
        except urllib3.exceptions.HTTPError:
            return True
        return False

    with FaultServer(Reply(200, "x" * 2_000_000)) as server:
        response = session.get(server.url("/"), stream=True)
        response.raw.read(10)
        assert in_child(reads_on)
        assert len(response.raw.read()) == 2_000_000 - 10


def test_child_makes_sessions_whatever_its_parents_threads_were_at():
    held, clear_frames = threading.Event(), threading.Event()

    def hold():
        with _install._lock:
            held.set()
            clear_frames.wait()

    def work():
        made = []
        making = threading.Thread(target=lambda: made.append(requests.Session()), daemon=True)
        making.start()
        making.join(10)
        return bool(made)

    holding = threading.Thread(target=hold)
    with install(logger=None):
        holding.start()
        held.wait()
        try:
            assert in_child(work)
        finally:
            clear_frames.set()
            holding.join()
