"""Other makers of TLS connections: PyOpenSSL and truststore, which put themselves in the place of Python's `ssl`.

What is put in place stays there, so a process of its own sends the requests.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import ssl
import subprocess
import sys
import threading
from typing import Any, NamedTuple

import pytest

from resilient_session.testing import FaultServer, Reply

AT_MOST = 20.0
"""Seconds; a bound that no request comes near, unless it would never end."""

LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.timezone.utc)

SENDER = """
import importlib, json, sys, time

def put_in_place(module, function):
    getattr(importlib.import_module(module), function)()

from resilient_session import attempts_of, resilient_session

if len(sys.argv) > 1:
    put_in_place(*sys.argv[1:3])
for line in sys.stdin:
    method, url, bundle, options = json.loads(line)
    told = []
    with resilient_session(backoff_factor=0, logger=None, **options) as session:
        for turn in range(2):
            if turn and len(sys.argv) > 3:
                put_in_place(sys.argv[1], sys.argv[3])
            start = time.monotonic()
            try:
                outcome = session.request(method, url, data="order", verify=bundle or True)
                name = f"{outcome.status_code} {outcome.text}"
            except Exception as error:
                outcome, name = error, type(error).__name__
            told.append([name, len(attempts_of(outcome)), time.monotonic() - start])
    print(json.dumps(told), flush=True)
"""
"""Sends each request that it is told of twice, with one session, and tells what came of it."""

PYOPENSSL = ("OpenSSL", "urllib3.contrib.pyopenssl", "inject_into_urllib3")
TRUSTSTORE = ("truststore", "truststore", "inject_into_ssl")
HTTP2 = ("h2", "urllib3.http2", "inject_into_urllib3")
BACKENDS = {"ssl": ("ssl",), "pyopenssl": PYOPENSSL, "truststore": TRUSTSTORE}
"""What must be installed, and what is called to put it in place; with the first, nothing is."""


class Told(NamedTuple):
    """What came of a request."""

    outcome: str
    attempts: int
    seconds: float


class Sender:
    """A process that sends requests, with something in the place of Python's `ssl`.

    Args:
        package: what must be installed.
        call: module and function that put it in place, and a function that takes it away between two requests.
    """

    def __init__(self, package: str, *call: str) -> None:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
        command = [sys.executable, "-c", SENDER, *call]
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=AT_MOST)
        assert self._process.returncode == 0

    def ask(self, method: str, url: str, bundle: str | None, **options: Any) -> list[tuple[str, int]]:
        """Let a request be sent twice; return the outcome and the number of attempts of each."""
        return [told[:2] for told in self.ask_in_full(method, url, bundle, **options)]

    def ask_in_full(self, method: str, url: str, bundle: str | None, **options: Any) -> list[Told]:
        """Let a request be sent twice."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        guard = threading.Timer(AT_MOST, self._process.kill)
        guard.start()
        try:
            self._process.stdin.write(json.dumps([method, url, bundle, options]) + "\n")
            self._process.stdin.flush()
            return [Told(*told) for told in json.loads(self._process.stdout.readline())]
        finally:
            guard.cancel()
            guard.join()


@pytest.fixture(scope="module", params=BACKENDS)
def sender(request):
    with Sender(*BACKENDS[request.param]) as made:
        yield made


def test_good_certificate_works_and_its_connection_is_used_again(sender, server_tls, bundle):
    with FaultServer(tls=server_tls) as server:
        told = sender.ask("POST", server.url(), bundle)
        assert told == [("200 ok", 1)] * 2
        assert [request.body for request in server.requests] == [b"order"] * 2
        assert server.connections == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_certificate_of_an_unknown_authority_is_tried_once(sender, method, server_tls):
    with FaultServer(tls=server_tls) as server:
        told = sender.ask(method, server.url(), None)
        assert told == [("SSLError", 1)] * 2
        assert server.connections == 2
        assert server.requests == ()


def test_certificate_of_another_host_is_tried_once(sender, misnamed_tls, bundle):
    with FaultServer(tls=misnamed_tls) as server:
        told = sender.ask("GET", server.url(), bundle)
        assert told == [("SSLError", 1)] * 2


def test_certificate_that_expired_is_tried_once(sender, bundle, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_after=LONG_AGO).configure_cert(context)
    with FaultServer(tls=context) as server:
        told = sender.ask("GET", server.url(), bundle)
        assert told == [("SSLError", 1)] * 2


@pytest.mark.parametrize(
    "broken",
    [
        Reply(200, "a body " * 999, cut="body"),
        Reply(200, "a body " * 999, cut="body", by="reset"),
        Reply(200, "a body " * 999, framing="chunked", cut="body"),
        Reply(200, "a body " * 999, cut="head"),
        Reply.reset(),
        Reply.close(),
    ],
    ids=["cut", "reset", "chunked", "headers cut", "no answer, reset", "no answer, closed"],
)
def test_answer_that_breaks_is_asked_for_again(sender, broken, server_tls, bundle):
    with FaultServer(broken, broken, tls=server_tls) as server:
        told = sender.ask("PUT", server.url(), bundle)
    assert told == [("200 ok", 3), ("200 ok", 1)]


def test_post_is_not_repeated_after_its_answer_broke(sender, server_tls, bundle):
    with FaultServer(Reply(200, "a body " * 999, cut="body", by="reset"), tls=server_tls) as server:
        (name, attempts), second = sender.ask("POST", server.url(), bundle)
        assert name in {"ChunkedEncodingError", "ConnectionError", "SSLError"}
        assert (attempts, second) == (1, ("200 ok", 1))
        assert server.effects() == 2


@pytest.mark.parametrize("how", ["reset", "close"])
def test_handshake_that_breaks_is_repeated_with_any_method(sender, how, server_tls, bundle):
    with FaultServer(tls=server_tls, handshakes=(how, how)) as server:
        told = sender.ask("POST", server.url(), bundle)
        assert told == [("200 ok", 3), ("200 ok", 1)]
        assert server.effects() == 2


def test_silence_ends_with_the_read_timeout(sender, server_tls, bundle):
    with FaultServer(Reply.stall(), Reply(200, "body", cut="body", by="stall"), tls=server_tls) as server:
        told = sender.ask("GET", server.url(), bundle, timeout=[5, 0.15])
    assert told == [("200 ok", 3), ("200 ok", 1)]


@pytest.mark.parametrize(
    ("reply", "handshakes"),
    [
        (Reply(), ("stall", "stall")),
        (Reply.stall(), ()),
        (Reply(200, "x" * 999, drip=0.01), ()),
        (Reply(200, "x" * 999, drip=0.01, drip_part="body"), ()),
        (Reply(200, endless=True), ()),
    ],
    ids=["handshake stalls", "silent", "headers drip", "body drips", "endless body"],
)
def test_deadline_ends_what_a_server_draws_out(sender, reply, handshakes, server_tls, bundle):
    with FaultServer(default=reply, tls=server_tls, handshakes=handshakes) as server:
        told = sender.ask_in_full("GET", server.url(), bundle, deadline=0.15)
    assert [one[:2] for one in told] == [("DeadlineExceeded", 1)] * 2
    assert all(one.seconds < 2.0 for one in told)


def test_session_outlives_truststore_that_is_taken_away_again(server_tls, bundle):
    with Sender(*TRUSTSTORE, "extract_from_ssl") as sender, FaultServer(tls=server_tls) as server:
        assert sender.ask("GET", server.url(), bundle) == [("200 ok", 1)] * 2
        assert sender.ask("GET", server.url(), None) == [("SSLError", 1)] * 2


def test_http2_of_urllib3_leaves_plain_http_alone():
    with Sender(*HTTP2) as sender, FaultServer(Reply.reset(), Reply(200, "x", cut="body")) as server:
        assert sender.ask("PUT", server.url(), None) == [("200 ok", 3), ("200 ok", 1)]
