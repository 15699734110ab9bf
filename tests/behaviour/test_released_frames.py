"""An exception of a failed call does not keep the frames of its callers alive until a garbage collection."""

from __future__ import annotations

import gc
import weakref

import pytest
import requests

from resilient_session import attempts_of, deadline, install, resilient_session
from resilient_session.testing import FaultServer, Reply, refused_url


class Cargo:
    """What a caller holds."""


@pytest.fixture(autouse=True)
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def through_callers(depth, send, cargoes):
    """Call `send` through frames that each hold a cargo."""
    cargo = Cargo()
    cargoes.append(weakref.ref(cargo))
    if depth:
        return through_callers(depth - 1, send, cargoes)
    return send()


def left_by(send, error_class):
    """Return the cargoes that are alive after a call failed and its exception is gone."""
    cargoes = []
    kinds = []
    try:
        through_callers(20, send, cargoes)
    except error_class as error:
        kinds.append(type(error))
    assert kinds
    return [cargo for cargo in cargoes if cargo() is not None]


CUT = Reply(200, "x" * 999, cut="body")
SLOW = Reply(200, "x" * 999, cut="body", by="stall")


@pytest.mark.parametrize(
    ("reply", "options", "error"),
    [
        (Reply.reset(), {}, requests.ConnectionError),
        (Reply.close(), {}, requests.ConnectionError),
        (Reply(raw=b"WHAT\r\n\r\n", keep_alive=False), {}, requests.ConnectionError),
        (Reply.stall(), {}, requests.ReadTimeout),
        (Reply.stall(), {"deadline": 0.2}, requests.Timeout),
        (CUT, {}, requests.exceptions.ChunkedEncodingError),
        (CUT, {"retry_if": lambda response: False}, requests.exceptions.ChunkedEncodingError),
        (SLOW, {}, requests.ConnectionError),
        (Reply(200, "x" * 999, framing="chunked", cut="body"), {}, requests.exceptions.ChunkedEncodingError),
        (Reply(200, "x" * 99, headers={"Content-Encoding": "gzip"}), {}, requests.exceptions.ContentDecodingError),
        (Reply(503), {"raise_on_status": True}, requests.exceptions.RetryError),
        (Reply(200, "x", length="5, 6"), {}, requests.exceptions.InvalidHeader),
    ],
)
@pytest.mark.parametrize("total", [0, 2])
def test_failed_call_keeps_no_caller(reply, options, error, total, clock):
    session = resilient_session(total=total, clock=clock, timeout=0.1, logger=None, **options)
    with FaultServer(default=reply) as server:
        assert left_by(lambda: session.get(server.url("/")), error) == []


def test_refused_call_keeps_no_caller(session):
    with refused_url() as url:
        assert left_by(lambda: session.get(url), requests.ConnectionError) == []
        assert left_by(lambda: session.post(url, data="x"), requests.ConnectionError) == []


@pytest.mark.parametrize("url", ["http://no.such.host.invalid/", "http://a..b/", "https://127.0.0.1:1/"])
def test_call_to_nowhere_keeps_no_caller(url, clock):
    session = resilient_session(total=1, clock=clock, logger=None)
    assert left_by(lambda: session.get(url), requests.RequestException) == []


def test_untrusted_certificate_keeps_no_caller(session, server_tls):
    with FaultServer(tls=server_tls) as server:
        assert left_by(lambda: session.get(server.url("/")), requests.exceptions.SSLError) == []


@pytest.mark.parametrize("connect", [Reply(407), Reply.close(), Reply(502)])
def test_failing_proxy_keeps_no_caller(connect, clock, server_tls):
    session = resilient_session(total=1, clock=clock, logger=None)
    with FaultServer(default=connect, tls=server_tls, tunnel=True) as proxy:
        send = lambda: session.get("https://example.com/", proxies={"https": proxy.url("/")})  # noqa: E731
        assert left_by(send, requests.ConnectionError) == []


def test_call_past_the_deadline_of_a_block_keeps_no_caller(session):
    def send():
        with deadline(0.2):
            session.get(server.url("/"))

    with FaultServer(default=Reply.stall()) as server:
        assert left_by(send, requests.Timeout) == []


def test_body_of_a_redirect_that_breaks_keeps_no_caller(session):
    broken = Reply(302, "x" * 99, headers={"Location": "/"}, cut="body")
    with FaultServer(default=broken) as server:
        send = lambda: session.get(server.url("/"))  # noqa: E731
        assert left_by(send, requests.exceptions.ChunkedEncodingError) == []


def test_error_of_the_users_body_keeps_no_caller(session):
    def body():
        yield b"first"
        raise KeyError("mine")

    with FaultServer(default=Reply(200)) as server:
        assert left_by(lambda: session.post(server.url("/"), data=body()), KeyError) == []


def test_error_of_prepare_attempt_keeps_no_caller(clock):
    session = resilient_session(prepare_attempt=lambda request, number: 1 / 0, clock=clock, logger=None)
    with FaultServer() as server:
        assert left_by(lambda: session.get(server.url("/")), ZeroDivisionError) == []


def test_consumed_body_keeps_no_caller(session):
    with FaultServer(Reply(307, headers={"Location": "/b"})) as server:
        send = lambda: session.put(server.url("/a"), data=(part for part in [b"x"]))  # noqa: E731
        assert left_by(send, requests.exceptions.UnrewindableBodyError) == []


class Failing(requests.adapters.HTTPAdapter):
    def __init__(self, error):
        super().__init__()
        self.make = error

    def send(self, request, **kwargs):
        raise self.make


@pytest.mark.parametrize("error", [requests.ConnectionError, requests.ReadTimeout, ValueError])
def test_error_of_a_driven_adapter_keeps_no_caller(error, clock):
    session = requests.Session()
    session.mount("http://", Failing(error))
    resilient_session(session, clock=clock, logger=None)
    assert left_by(lambda: session.get("http://example.com/"), error) == []


def test_observed_call_keeps_no_caller(clock):
    session = resilient_session(on_event=lambda event: None, clock=clock)
    with refused_url() as url:
        assert left_by(lambda: session.get(url), requests.ConnectionError) == []


def test_call_under_install_keeps_no_caller(clock):
    with install(clock=clock, logger=None), refused_url() as url:
        assert left_by(lambda: requests.get(url, timeout=1), requests.ConnectionError) == []


def test_last_attempt_names_the_exception_that_was_raised(session):
    with refused_url() as url, pytest.raises(requests.ConnectionError) as caught:
        session.get(url)
    *others, last = attempts_of(caught.value)
    assert last.error is caught.value
    assert all(other.error is not caught.value for other in others)
