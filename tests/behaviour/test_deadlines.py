"""Nothing outlives its deadline; without one, no phase outlives its timeout.

These are the tests that live in real time, for sockets do. Their bounds are generous.
"""

from __future__ import annotations

import contextlib
import contextvars
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import socks
import urllib3.util.connection
from requests.auth import HTTPDigestAuth

from resilient_session import DeadlineExceeded, attempts_of, deadline, resilient_session
from resilient_session._transport import _socks
from resilient_session.testing import FaultServer, Reply, VirtualClock, black_hole
from support.socks_proxy import SocksProxy

SOON = 0.8
"""Seconds until a deadline that passes in a known phase: a busy machine, too, has got there by then."""

AT_MOST = 8.0
"""Seconds; far more than any of these should take, and less than any would without the limit under test."""


@pytest.fixture(autouse=True)
def in_time():
    start = time.monotonic()
    yield
    assert time.monotonic() - start < AT_MOST


DRIPPING = {"drip": 0.01, "headers": {"X-Long": "x" * 1000}}


@pytest.mark.parametrize(
    ("reply", "stage"),
    [
        (Reply.stall(), "waiting for the response"),
        (Reply(200, "body", **DRIPPING), "waiting for the response"),
        (Reply(200, "body", endless="interim"), "waiting for the response"),
        (Reply(200, "x" * 1000, drip=0.01, drip_part="body"), "reading the body"),
        (Reply(200, "body", cut="body", by="stall"), "reading the body"),
        (Reply(200, endless=True), "reading the body"),
    ],
    ids=["silent", "dripping head", "endless 1xx", "dripping body", "stalled body", "endless body"],
)
def test_deadline_ends_what_a_server_draws_out(reply, stage):
    session = resilient_session(deadline=SOON)
    with FaultServer(default=reply) as server, pytest.raises(DeadlineExceeded, match=stage) as caught:
        session.get(server.url("/"))
    assert isinstance(caught.value, requests.Timeout)
    assert len(attempts_of(caught.value)) == 1


def test_deadline_ends_an_endless_error_body_of_the_last_attempt():
    session = resilient_session(deadline=0.2, total=0)
    with FaultServer(default=Reply(503, endless=True)) as server, pytest.raises(DeadlineExceeded):
        session.get(server.url("/"))


def test_endless_error_body_between_attempts_is_not_waited_for(session):
    with FaultServer(
        Reply(503, endless=True), Reply(503, "x" * 100, drip=0.2, drip_part="body"), Reply(200, "whole")
    ) as server:
        assert session.get(server.url("/")).text == "whole"


def test_connection_of_a_short_error_body_serves_the_next_attempt(session):
    with FaultServer(Reply(503, "short"), Reply(503, "x" * 70_000), Reply(200)) as server:
        session.get(server.url("/"))
    assert [request.connection for request in server.requests] == [1, 1, 2]


def test_deadline_ends_a_connect():
    session = resilient_session(deadline=SOON)
    with black_hole() as url, pytest.raises(DeadlineExceeded, match="connecting"):
        session.get(url)


def test_deadline_ends_a_tls_handshake(authority):
    session = resilient_session(deadline=SOON)
    with (
        FaultServer(handshakes=("stall",)) as server,
        pytest.raises(DeadlineExceeded, match="shaking hands over TLS"),
    ):
        session.get(f"https://127.0.0.1:{server.port}/")


def test_deadline_ends_a_proxy_that_drips_its_answer():
    session = resilient_session(deadline=SOON)
    with (
        FaultServer(default=Reply(200, **DRIPPING), tunnel=True) as proxy,
        pytest.raises(DeadlineExceeded, match="waiting for the proxy"),
    ):
        session.get("https://origin.test/", proxies={"https": proxy.url()})


def test_deadline_ends_endless_redirects():
    session = resilient_session(deadline=0.3)
    session.max_redirects = 10**6
    again = Reply(302, headers={"Location": "/"}, delay=0.01)
    with FaultServer(default=again) as server, pytest.raises(DeadlineExceeded):
        session.get(server.url("/"))


def test_deadline_ends_a_redirect_body_that_session_reads():
    session = resilient_session(deadline=SOON)
    body = Reply(302, "x" * 1000, headers={"Location": "/b"}, drip=0.01, drip_part="body")
    with FaultServer(default=body) as server, pytest.raises(DeadlineExceeded, match="body"):
        session.get(server.url("/"))


def test_deadline_ends_the_wait_for_a_free_connection():
    session = resilient_session(deadline=SOON, pool_maxsize=1, pool_block=True)
    with FaultServer() as server:
        held = session.get(server.url("/"), stream=True)
        with pytest.raises(DeadlineExceeded, match="waiting for a free connection"):
            session.get(server.url("/"))
        held.close()
        assert session.get(server.url("/")).text == "ok"


def test_wait_for_a_free_connection_ends_within_the_connect_timeout(clock):
    session = resilient_session(pool_maxsize=1, pool_block=True, total=0, timeout=(0.1, 60), clock=clock)
    with FaultServer() as server:
        held = session.get(server.url("/"), stream=True)
        with pytest.raises(requests.ConnectionError):
            session.get(server.url("/"))
        held.close()


def test_deadline_ends_an_upload_that_the_server_does_not_read():
    session = resilient_session(deadline=SOON)
    with (
        FaultServer(default=Reply(cut="request", by="stall")) as server,
        pytest.raises(DeadlineExceeded, match="sending the request"),
    ):
        session.put(server.url("/"), data=b"x" * 30_000_000)


def test_wait_that_does_not_fit_is_not_begun():
    clock = VirtualClock()
    session = resilient_session(deadline=30, clock=clock)
    with FaultServer(default=Reply(503, "later", headers={"Retry-After": "60"})) as server:
        response = session.get(server.url("/"))
    assert (response.text, clock.sleeps, len(server.requests)) == ("later", (), 1)
    assert "does not fit before the deadline" in attempts_of(response)[-1].reason


def test_waits_count_against_the_deadline():
    clock = VirtualClock()
    session = resilient_session(deadline=10, total=100, backoff=lambda _: 4, clock=clock)
    with FaultServer(default=Reply(503)) as server:
        assert session.get(server.url("/")).status_code == 503
    assert clock.sleeps == (4, 4)


def test_deadline_that_passed_between_two_hops_ends_the_call(clock):
    session = resilient_session(deadline=5, clock=clock)
    session.hooks["response"].append(lambda response, **_: clock.advance(6))
    away = Reply(302, headers={"Location": "/b"})
    with FaultServer(away, Reply(200)) as server, pytest.raises(DeadlineExceeded) as caught:
        session.get(server.url("/a"))
    assert [request.path for request in server.requests] == ["/a"]
    assert attempts_of(caught.value)[0].status == 302


def test_option_ends_when_a_stream_is_returned():
    session = resilient_session(deadline=1)
    with FaultServer(Reply(200, "x" * 30, drip=0.05, drip_part="body")) as server:
        response = session.get(server.url("/"), stream=True)
        assert response.content == b"x" * 30


def test_scope_caps_a_call_and_the_reads_of_its_stream():
    session = resilient_session(deadline=60)
    dripping = Reply(200, "x" * 1000, drip=0.01, drip_part="body")
    with FaultServer(default=dripping) as server:
        with deadline(0.2), pytest.raises(DeadlineExceeded):
            session.get(server.url("/"))
        response = session.get(server.url("/"), stream=True)
        with deadline(0.2), pytest.raises(DeadlineExceeded):
            response.content  # noqa: B018
        response.close()


def test_nearest_scope_counts():
    session = resilient_session()
    with (
        FaultServer(default=Reply.stall()) as server,
        deadline(60),
        deadline(0.1),
        deadline(60),
        pytest.raises(DeadlineExceeded),
    ):
        session.get(server.url("/"))


def test_scope_ends_where_it_ends():
    session = resilient_session()
    with FaultServer(Reply(200, "slow", delay=0.2)) as server:
        with deadline(0.1):
            pass
        assert session.get(server.url("/")).text == "slow"


def test_scope_is_carried_over_to_an_executor_by_a_copied_context():
    session = resilient_session()
    with FaultServer(default=Reply.stall()) as server, ThreadPoolExecutor() as executor, deadline(0.1):
        future = executor.submit(contextvars.copy_context().run, session.get, server.url("/"))
        with pytest.raises(DeadlineExceeded):
            future.result()


@pytest.mark.parametrize(("bad", "error"), [(0, ValueError), (-1, ValueError), ("5", TypeError), (True, TypeError)])
def test_bad_deadline_is_an_error(bad, error):
    with pytest.raises(error, match="> 0 seconds"), deadline(bad):
        pass
    with pytest.raises(error, match=r"deadline=.*: must be > 0 seconds"):
        resilient_session(deadline=bad)


def test_header_that_drips_ends_within_the_read_timeout(clock):
    session = resilient_session(total=0, timeout=(1, 0.2), clock=clock)
    with FaultServer(default=Reply(200, "body", **DRIPPING)) as server, pytest.raises(requests.ReadTimeout):
        session.get(server.url("/"))


def test_upload_is_bounded_by_inactivity_and_not_by_the_connect_timeout(session):
    def slow_reader():
        connection, _ = listener.accept()
        with connection:
            received = 0
            while received < size:
                received += len(connection.recv(200_000))
                time.sleep(0.005)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    size = 8_000_000
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        thread = threading.Thread(target=slow_reader)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert session.put(url, data=b"x" * size, timeout=(0.1, 5)).text == "ok"
        thread.join()


@pytest.fixture
def silent_name_server(monkeypatch):
    """A resolver that answers for one name only when the test is over."""
    over = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if host != "silent.test":
            return real("127.0.0.1" if host.endswith(".test") else host, *args, **kwargs)
        asked.append(host)
        over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    asked: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    over.set()


@pytest.mark.parametrize("options", [{"deadline": 0.2}, {"timeout": (0.1, 60), "total": 1}])
def test_silent_name_server_is_left(options, silent_name_server):
    session = resilient_session(backoff_factor=0, **options)
    with pytest.raises(requests.Timeout) as caught:
        session.get("http://silent.test/")
    assert isinstance(caught.value, DeadlineExceeded if "deadline" in options else requests.ConnectTimeout)


def test_waiting_for_the_same_name_takes_one_lookup(silent_name_server):
    session = resilient_session(timeout=(0.1, 60), total=2, backoff_factor=0)
    with pytest.raises(requests.ConnectTimeout):
        session.get("http://silent.test/")
    assert silent_name_server == ["silent.test"]


def test_name_is_resolved_in_line_when_no_thread_can_be_started(silent_name_server, monkeypatch, session):
    def refuse(self):
        raise RuntimeError("can't start new thread at interpreter shutdown")

    with FaultServer() as server:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(requests.ConnectionError):
            session.get("http://other.test:9/")
        monkeypatch.undo()
        assert session.get(server.url("/")).text == "ok"


def test_dead_address_does_not_spend_the_time_of_the_others(monkeypatch, clock):
    real = socket.getaddrinfo
    with FaultServer() as server, black_hole() as url:
        hole = int(url.split(":")[2].strip("/"))

        def getaddrinfo(host, *args, **kwargs):
            if host != "two.test":
                return real(host, *args, **kwargs)
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, ("127.0.0.1", hole)), (*kind, ("127.0.0.1", server.port))]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        session = resilient_session(total=0, timeout=(0.4, 5), clock=clock)
        assert session.get("http://two.test/").text == "ok"


def test_own_create_connection_is_used_with_the_name(monkeypatch, session):
    seen = []
    with FaultServer() as server:

        def pinned(address, *args, **kwargs):
            seen.append(address)
            return real(("127.0.0.1", server.port), *args, **kwargs)

        real = urllib3.util.connection.create_connection
        monkeypatch.setattr(urllib3.util.connection, "create_connection", pinned)
        assert session.get("http://pinned.test/").text == "ok"
    assert seen == [("pinned.test", 80)]


def test_deadline_ends_a_challenge_whose_body_drips_although_the_answer_is_streamed():
    session = resilient_session(deadline=0.3)
    headers = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
    challenge = Reply(401, "x" * 1000, headers=headers, drip=0.01, drip_part="body")
    with FaultServer(default=challenge) as server, pytest.raises(DeadlineExceeded) as caught:
        session.get(server.url("/"), auth=HTTPDigestAuth("me", "secret"), stream=True)
    assert len(attempts_of(caught.value)) == 1


def test_body_of_a_redirect_that_stalls_is_a_read_timeout_that_knows_its_attempts(session):
    away = Reply(302, "body", headers={"Location": "/b"}, cut="body", by="stall")
    with FaultServer(away) as server, pytest.raises(requests.ReadTimeout) as caught:
        session.get(server.url("/"), timeout=0.1)
    assert isinstance(caught.value, requests.ConnectionError)
    assert [attempt.status for attempt in attempts_of(caught.value)] == [302]


SOCKS_ACCEPTS = b"\x05\x00", b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00"


@contextlib.contextmanager
def socks_proxy(talk):
    """A SOCKS proxy that does what it is told with each connection."""

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                threading.Thread(target=answer, args=(client,), daemon=True).start()

    def answer(client):
        with contextlib.suppress(OSError):
            talk(client)

    clients = []
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for client in clients:
        client.close()


def is_silent(client):
    threading.Event().wait(60)


def is_silent_later(client):
    client.sendall(SOCKS_ACCEPTS[0])
    threading.Event().wait(60)


def drips(client):
    for byte in b"".join(SOCKS_ACCEPTS):
        client.sendall(bytes([byte]))
        threading.Event().wait(0.3)
    threading.Event().wait(60)


@pytest.mark.parametrize("talk", [is_silent, is_silent_later, drips])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "socks4a"])
@pytest.mark.parametrize("limit", [{"deadline": 0.5}, {"timeout": 0.5, "total": 0}])
def test_socks_proxy_that_is_silent_or_drips_is_in_time(talk, scheme, limit):
    with socks_proxy(talk) as place:
        session = resilient_session(logger=None, **limit)
        proxies = {"http": f"{scheme}://{place}"}
        start = time.monotonic()
        with pytest.raises((requests.ConnectionError, requests.Timeout)):
            session.get("http://127.0.0.1:9/", proxies=proxies)
        assert time.monotonic() - start < 2


def test_socks_proxy_that_a_patch_replaces_is_used_as_it_is(monkeypatch):
    def refuse(*args, **kwargs):
        raise socks.ProxyConnectionError("patched", OSError("patched"))

    monkeypatch.setattr(socks, "create_connection", refuse)
    session = resilient_session(logger=None, total=0)
    with pytest.raises(requests.ConnectionError, match="patched"):
        session.get("http://127.0.0.1:9/", proxies={"http": "socks5://127.0.0.1:9"})


@pytest.mark.parametrize("options", [{"timeout": (None, 5)}, {}])
def test_socks_proxy_is_connected_to_from_the_source_address_and_without_a_limit_if_there_is_none(options):
    with FaultServer(Reply(200)) as server, SocksProxy(server.port) as proxy:
        session = requests.Session()
        session.mount("http://", FromLoopback())
        resilient_session(session, logger=None, **options)
        assert session.get("http://origin.test/", proxies={"http": proxy.url}).ok


class FromLoopback(requests.adapters.HTTPAdapter):
    def proxy_manager_for(self, proxy, **kwargs):
        return super().proxy_manager_for(proxy, source_address=("127.0.0.1", 0), **kwargs)


def test_socks_proxy_is_not_waited_for_once_the_time_is_over():
    with pytest.raises(TimeoutError):
        _socks._left(time.monotonic() - 1)
