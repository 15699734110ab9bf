"""gevent: greenlets share a session as threads do, in a process that was patched first."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import subprocess
import sys

import pytest

import support
from resilient_session.testing import FaultServer, Reply

pytest.importorskip("gevent")

PROGRAM = pathlib.Path(support.__file__).with_name("greenlets.py")
AT_MOST = 60
"""Seconds; a bound that no program comes near, unless a greenlet would never end."""

SCRIPT = {
    "/silent": Reply.stall(),
    "/dripping": Reply(200, "x" * 10_000, drip=0.01, drip_part="body"),
    "/busy": Reply(503, "busy", headers={"Retry-After": "100"}),
}


def answer(request):
    return SCRIPT.get(request.path) or Reply(200, request.path)


def played(scene, url, *bundle, when="first"):
    """Play a scene in a process that gevent patches, and return what it tells."""
    command = [sys.executable, "-W", "error", str(PROGRAM), when, scene, url, *bundle]
    traced = ("COVERAGE_", "COV_")  # a tracer would take the turns of greenlets for calls
    environment = {name: value for name, value in os.environ.items() if not name.startswith(traced)}
    done = subprocess.run(  # noqa: S603 - our own words
        command, env=environment, stdout=subprocess.PIPE, timeout=AT_MOST, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(params=["first", "late"])
def when(request):
    """Whether the process is patched before all else, or when the library was imported and a session made."""
    return request.param


@pytest.mark.parametrize(("scheme", "when"), [("http", "first"), ("https", "first"), ("http", "late")])
def test_greenlets_share_a_session_and_each_gets_its_own_answer(scheme, when, server_tls, bundle):
    def faulty(request):
        turn = next(turns)
        return Reply.reset() if turn % 10 == 0 else Reply(503) if turn % 3 == 0 else answer(request)

    turns = itertools.count(1)
    with FaultServer(default=faulty, tls=server_tls if scheme == "https" else None) as server:
        told = played("crowd", server.url("", host="localhost"), bundle, when=when)
    assert [text for text, _ in told] == [f"/{number}" for number in range(100)]
    assert sum(attempts for _, attempts in told) == len(server.requests)


def test_timeouts_and_deadlines_hold_and_those_of_gevent_too(when):
    with FaultServer(default=answer) as server:
        told = played("limits", server.url(""), when=when)
    assert told == ["ReadTimeout", "DeadlineExceeded", "DeadlineExceeded", "Timeout", ["/afterwards", 1]]


def test_greenlets_go_on_while_one_waits_for_its_next_attempt(when):
    with FaultServer(default=answer) as server:
        assert played("waits", server.url(""), when=when) == [["/meanwhile", 1], False]
        assert [request.path for request in server.requests] == ["/busy", "/meanwhile"]


def test_silent_name_server_is_left_and_holds_nobody_up(when):
    with FaultServer(default=answer) as server:
        told, asked = played("names", server.url("", host="localhost"), when=when)
    assert told == ["ConnectTimeout"] * 3 + [["/meanwhile", 1], "DeadlineExceeded"]
    assert asked == ["silent.test", "other.test"]


def test_deadline_scope_reaches_a_greenlet_only_with_its_context(when):
    with FaultServer(default=answer) as server:
        assert played("scopes", server.url(""), when=when) == [["busy", 1], ["busy", 4]]
