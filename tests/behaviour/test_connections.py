"""Connections: which are used again, what they pass on untouched, and those of other makers."""

from __future__ import annotations

import functools
import gc
import gzip
import io
import socket
import time
import weakref
from typing import ClassVar

import brotli
import pytest
import requests
import urllib3
import urllib3.connection
import urllib3.connectionpool
import urllib3.exceptions
import urllib3.util.connection
from requests.adapters import BaseAdapter

from resilient_session import DeadlineExceeded, TimeoutHTTPAdapter, attempts_of, deadline, resilient_session
from resilient_session.testing import FaultServer, Reply, refused_url
from support.socks_proxy import SocksProxy


def connections(server):
    return [request.connection for request in server.requests]


def pooled(session, server):
    """Return the connection that waits in the pool."""
    request = requests.Request("GET", server.url()).prepare()
    pool = session.get_adapter(request.url).get_connection_with_tls_context(request, verify=True)
    return pool.pool.queue[-1]


def test_connection_is_used_again(session):
    with FaultServer() as server:
        for _ in range(3):
            session.get(server.url("/"))
    assert connections(server) == [1, 1, 1]


@pytest.mark.parametrize(("idle", "limit", "reused"), [(54, 55, True), (56, 55, False), (10_000, None, True)])
def test_connection_that_idled_too_long_is_not_used_again(idle, limit, reused, clock):
    session = resilient_session(idle_timeout=limit, clock=clock)
    with FaultServer() as server:
        session.get(server.url("/"))
        clock.advance(idle)
        session.get(server.url("/"))
    assert connections(server) == [1, 1 if reused else 2]


@pytest.mark.parametrize(
    ("header", "idle", "reused"),
    [("timeout=5", 4, True), ("timeout=5", 6, False), ("max=100, timeout=7", 8, False), ("max=100", 8, True)],
)
def test_server_is_believed_how_long_it_keeps_connections(header, idle, reused, session, clock):
    with FaultServer(default=Reply(200, headers={"Keep-Alive": header})) as server:
        session.get(server.url("/"))
        clock.advance(idle)
        session.get(server.url("/"))
    assert connections(server) == [1, 1 if reused else 2]


@pytest.mark.parametrize(
    ("idle", "headers", "options", "reused"),
    [
        (3, {}, {}, True),
        (5, {}, {}, False),
        (5, {}, {"idle_timeout": None}, False),
        (5, {"Idempotency-Key": "k"}, {}, True),
        (5, {}, {"allowed_methods": ["POST"]}, True),
        (2, {}, {"idle_timeout": 1}, False),
    ],
)
def test_request_that_must_not_be_repeated_takes_young_connections_only(idle, headers, options, reused, clock):
    session = resilient_session(clock=clock, **options)
    with FaultServer() as server:
        session.get(server.url("/"))
        clock.advance(idle)
        session.post(server.url("/"), headers=headers)
    assert connections(server) == [1, 1 if reused else 2]


def test_tunnel_is_not_used_again_when_it_idled_too_long(server_tls, bundle, clock):
    session = resilient_session(idle_timeout=0, clock=clock)
    with FaultServer(tls=server_tls, tunnel=True) as proxy:
        for _ in range(2):
            session.get("https://origin.test/", proxies={"https": proxy.url()}, verify=bundle)
            clock.advance(1)
    assert [request.method for request in proxy.requests] == ["CONNECT", "GET", "CONNECT", "GET"]


def test_interim_answers_are_skipped_and_the_next_answer_is_its_own(session):
    with FaultServer(Reply(200, "first", interim=(100, 102, (103, {"Link": "x"}))), Reply(200, "second")) as server:
        assert [session.get(server.url("/")).text for _ in range(2)] == ["first", "second"]
    assert connections(server) == [1, 1]


def test_switching_protocols_is_an_answer(session):
    switching = Reply(raw=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n", keep_alive=False)
    with FaultServer(switching) as server, session.get(server.url("/"), stream=True) as response:
        assert response.status_code == 101


def test_socket_is_found_where_ntlm_looks_for_it(session):
    with FaultServer(Reply(200, "x" * 100_000)) as server:
        response = session.get(server.url("/"), stream=True)
        assert response.raw._fp.fp.raw._sock.getpeername()[1] == server.port
        assert len(response.content) == 100_000


def test_reading_nothing_is_no_end(session):
    with FaultServer(Reply(200, "x" * 100_000)) as server:
        response = session.get(server.url("/"), stream=True)
        file = response.raw._fp.fp.raw
        assert (file.readinto(bytearray()), file.ended) == (0, False)
        assert len(response.content) == 100_000


@pytest.mark.parametrize("reply", [Reply.close(), Reply(200, "x" * 99, cut="body"), Reply(200, cut="head")])
def test_end_of_a_connection_is_met_once(reply, clock, monkeypatch):
    def counted(file, buffer):
        ends.append(stock(file, buffer))
        return ends[-1]

    ends, stock = [], socket.SocketIO.readinto
    monkeypatch.setattr(socket.SocketIO, "readinto", counted)
    broken = pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError))
    with FaultServer(reply) as server, resilient_session(total=0, clock=clock) as session, broken:
        session.get(server.url("/"))
    assert ends.count(0) == 1


@pytest.mark.parametrize("extra", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse"])
def test_connection_of_a_failed_attempt_without_a_body_is_used_again_unless_more_came(extra, session):
    empty = Reply(raw=b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" + extra)
    with FaultServer(empty, Reply(200, "true")) as server:
        assert session.get(server.url("/")).text == "true"
        assert len({request.connection for request in server.requests}) == (2 if extra else 1)


def test_timeout_of_a_returned_stream_is_left_alone(session):
    with FaultServer(Reply(200, "x" * 100_000)) as server:
        response = session.get(server.url("/"), stream=True, timeout=7)
        sock = response.raw._fp.fp.raw._sock
        assert sock.gettimeout() == 7
        sock.settimeout(9)
        assert response.raw.read(10) == b"x" * 10
        assert sock.gettimeout() == 9
        response.close()


def test_stream_that_is_given_back_frees_its_place(clock):
    session = resilient_session(pool_maxsize=1, pool_block=True, clock=clock)
    with FaultServer(default=Reply(200, "x" * 100_000)) as server:
        for _ in range(3):
            with session.get(server.url("/"), stream=True) as response:
                assert response.raw.read(1) == b"x"
        assert len(server.requests) == 3


def test_connection_class_that_somebody_swapped_in_is_used_as_it_is(monkeypatch, session):
    class Recorder(urllib3.connection.HTTPConnection):
        used = 0

        def request(self, *args, **kwargs):
            type(self).used += 1
            super().request(*args, **kwargs)

    monkeypatch.setattr(urllib3.connectionpool.HTTPConnectionPool, "ConnectionCls", Recorder)
    with FaultServer(Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).status_code == 200
    assert Recorder.used == 2


def test_connections_and_pools_go_by_the_names_of_urllib3(session):
    with refused_url() as url, pytest.raises(requests.ConnectionError) as caught:
        session.get(url)
    assert str(caught.value).startswith("HTTPConnectionPool(host='127.0.0.1'")
    assert "HTTPConnection" in str(caught.value)
    assert "Witnessed" not in str(caught.value)
    assert "resilient" not in str(caught.value)


def test_socks_proxy_resolves_the_name_and_is_retried_through(session):
    with FaultServer(Reply(503), Reply(200, "cut", cut="head"), Reply(200, "whole")) as server:
        with SocksProxy(server.port) as proxy:
            response = session.get("http://hidden.test/", proxies={"http": proxy.url})
        assert response.text == "whole"
    assert set(proxy.asked) == {"hidden.test"}
    assert len(attempts_of(response)) == 3


def test_dead_socks_proxy_means_no_connection_to_the_origin(session):
    with FaultServer() as server, refused_url() as dead:
        proxies = {"http": dead.replace("http", "socks5h").rstrip("/")}
        with pytest.raises(requests.ConnectionError) as caught:
            session.post(server.url("/"), data="order", proxies=proxies)
    assert server.connections == 0
    assert len(attempts_of(caught.value)) == 4


def test_forward_proxy_carries_retries(session):
    with FaultServer(Reply(503), Reply.reset(), Reply(200, "via")) as proxy:
        response = session.get("http://origin.test/a?b=c", proxies={"http": proxy.url()})
    assert response.text == "via"
    assert {request.target for request in proxy.requests} == {"http://origin.test/a?b=c"}


def test_dead_forward_proxy_is_retried_with_any_method(session):
    with refused_url() as dead, pytest.raises(requests.exceptions.ProxyError) as caught:
        session.post("http://origin.test/", data="order", proxies={"http": dead})
    assert len(attempts_of(caught.value)) == 4


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [204, 304, 200])
def test_answers_without_a_body_leave_the_connection_whole(method, status, session):
    with FaultServer(Reply(status), Reply(200, "next")) as server:
        session.request(method, server.url("/"))
        assert session.get(server.url("/")).text == "next"
    assert connections(server) == [1, 1]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"", headers={"Content-Encoding": "gzip"}),
        Reply(200, "plain", encoding="gzip"),
        Reply(200, "plain", encoding="deflate"),
        Reply(200, "plain", encoding="gzip", framing="chunked"),
        Reply(200, "plain", encoding="gzip", framing="close"),
    ],
    ids=["empty", "gzip", "deflate", "chunked", "until closed"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_whole_compressed_body_is_no_failure(reply, stream, session):
    with FaultServer(reply) as server:
        response = session.get(server.url("/"), stream=stream)
        assert response.content in {b"", b"plain"}
    assert len(attempts_of(response)) == 1


def test_gzip_of_several_members_and_one_with_something_behind_it_are_whole(session):
    members = gzip.compress(b"one") + gzip.compress(b"two")
    headers = {"Content-Encoding": "gzip"}
    with FaultServer(
        Reply(200, members, headers=headers), Reply(200, members + b"garbage", headers=headers)
    ) as server:
        assert session.get(server.url("/")).content == b"onetwo"
        assert session.get(server.url("/")).content == b"onetwo"
    assert len(server.requests) == 2


def test_pools_serve_who_uses_them_directly(session):
    with FaultServer() as server:
        session.get(server.url("/"))
        manager = session.get_adapter(server.url()).poolmanager
        assert manager.request("GET", server.url("/")).data == b"ok"
        assert manager.request("POST", server.url("/"), body=iter([b"a", b"b"])).status == 200
    assert server.requests[-1].body == b"ab"


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_managers_of_proxies_serve_who_uses_them_directly(server_tls, session):
    with FaultServer(tls=server_tls, tunnel=True) as proxy:
        session.get("https://origin.test/", proxies={"https": proxy.url()}, verify=False)
        (manager,) = session.get_adapter("https://").proxy_manager.values()
        manager.clear()
        pool = manager.connection_from_host("origin.test", 443, "https", pool_kwargs={"cert_reqs": "CERT_NONE"})
        assert pool.request("GET", "/").data == b"ok"
        manager.clear()


@pytest.mark.parametrize("stream", [False, True])
def test_brotli_body_that_stops_short_is_a_failure(stream, session):
    whole = brotli.compress(b"a body of some length, " * 99)
    headers = {"Content-Encoding": "br"}
    with FaultServer(Reply(200, whole, headers=headers), Reply(200, whole[:-3], headers=headers)) as server:
        assert len(session.get(server.url("/"), stream=stream).content) == 23 * 99
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            resilient_session(session, total=0).get(server.url("/"), stream=stream).content  # noqa: B018


def test_stream_that_stalls_is_a_connection_error_as_in_requests(session):
    with FaultServer(Reply(200, "body", cut="body", by="stall")) as server:
        response = session.get(server.url("/"), stream=True, timeout=0.05)
        with pytest.raises(requests.ConnectionError, match="Read timed out"):
            response.content  # noqa: B018


def test_chunked_body_that_ends_inside_a_chunk_size_is_a_failure(session):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00005\r\nhello\r\n"
    with FaultServer(
        Reply(raw=head + b"0", keep_alive=False), Reply(raw=head + b"0\r\n", keep_alive=False)
    ) as server:
        response = session.get(server.url("/"))
    assert response.text == "hello"
    assert len(attempts_of(response)) == 2


@pytest.mark.parametrize(
    ("behind", "whole"), [(b"\n", True), (b"\0", True), (b"\x1f", False), (b"\x1f\x8b", False)]
)
def test_lone_byte_behind_a_gzip_body_is_let_be_unless_it_begins_another(behind, whole, clock):
    session = resilient_session(total=0, clock=clock)
    body = gzip.compress(b"whole") + behind
    with FaultServer(Reply(200, body, headers={"Content-Encoding": "gzip"})) as server:
        if whole:
            assert session.get(server.url("/")).text == "whole"
        else:
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                session.get(server.url("/"))


def test_response_after_a_recovery_goes_with_its_last_reference(session):
    with FaultServer(Reply.reset(), Reply(200, "x" * 100_000)) as server:
        gc.disable()
        try:
            response = session.get(server.url("/"), stream=True)
            body = weakref.ref(response.raw)
            del response
            assert body() is None
        finally:
            gc.enable()


def test_connection_that_switched_protocols_is_not_used_again(session):
    switching = Reply(raw=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\n\r\n")
    with FaultServer(switching, Reply(200)) as server:
        session.get(server.url("/"))
        session.get(server.url("/"))
    assert connections(server) == [1, 2]


def test_pin_that_wraps_the_function_of_urllib3_is_used_with_the_name(monkeypatch, session):
    real = urllib3.util.connection.create_connection
    with FaultServer() as server:

        @functools.wraps(real)
        def pinned(address, *args, **kwargs):
            return real(("127.0.0.1", server.port), *args, **kwargs)

        monkeypatch.setattr(urllib3.util.connection, "create_connection", pinned)
        assert session.get("http://pinned.test/").text == "ok"


def test_raw_that_outlives_its_response_tells_in_the_way_of_urllib3(session):
    with FaultServer(Reply(200, "body", cut="body", by="stall")) as server:
        raw = session.get(server.url("/"), stream=True, timeout=0.05).raw
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            list(raw.stream())


class Whole:
    """A ``raw`` of somebody's own, with whatever they thought of."""

    chunked = True
    length_remaining = None
    headers: ClassVar[dict[str, str]] = {}

    def stream(self, _amount, decode_content):
        yield b"whole" if decode_content else b""

    def close(self):
        pass

    release_conn = close


@pytest.mark.parametrize("length", [5, 300_000])
def test_raw_of_somebodys_own_is_read_as_it_is(length, clock):
    class Recorded(TimeoutHTTPAdapter):
        def build_response(self, request, answer):
            response = super().build_response(request, answer)
            if length == 5:
                response.raw = Whole()
            else:
                stock = response.raw.stream
                response.raw.stream = lambda amount, **kwargs: iter(
                    [b"who", *(b"le" for _ in stock(amount, **kwargs))][:2]
                )
            return response

    with FaultServer(Reply(200, "x" * length)) as server, requests.Session() as session:
        session.mount("http://", Recorded(clock=clock))
        assert session.get(server.url("/")).content == b"whole"


def test_head_that_was_read_is_not_read_again(session):
    with FaultServer(Reply(200, "HTTP/1.1 500 Oops\r\n\r\n")) as server:
        response = session.get(server.url("/"), stream=True)
        response.raw._original_response.begin()
        assert (response.raw._original_response.status, response.text) == (200, "HTTP/1.1 500 Oops\r\n\r\n")


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_raw_stream_gives_what_came_also_undecoded_and_when_nobody_holds_its_response(framing, encoding, session):
    with FaultServer(default=Reply(200, "tea" * 999, encoding=encoding, framing=framing)) as server:
        url = server.url("/")
        came = b"".join(session.get(url, stream=True).raw.stream(100, decode_content=False))
        assert (gzip.decompress(came) if encoding else came) == b"tea" * 999
        assert b"".join(session.get(url, stream=True).raw.stream(100)) == came
        assert b"".join(session.get(url, stream=True).raw.stream(100, decode_content=True)) == b"tea" * 999


@pytest.mark.parametrize("framing", ["length", "close"])
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_stream_that_is_read_on_after_a_deadline_has_no_hole(framing, encoding, session):
    text = bytes(range(250)) * 40
    with FaultServer(Reply(200, text, encoding=encoding, framing=framing)) as server:
        response = session.get(server.url("/"), stream=True)
        came = []
        with deadline(0.01):
            pieces = response.iter_content(100)
            came += [next(pieces), next(pieces)]
            end = time.monotonic() + 0.02
            while time.monotonic() < end:
                pass
            with pytest.raises(DeadlineExceeded):
                next(pieces)
        came += response.iter_content(100)
    assert b"".join(came) == text


def test_answer_that_an_adapter_gives_twice_is_watched_once(clock):
    class Again(BaseAdapter):
        def __init__(self):
            super().__init__()
            self.response = requests.Response()
            self.response.raw = urllib3.HTTPResponse(io.BytesIO(b"kept"), preload_content=False, status=200)
            self.response.status_code = 200

        def send(self, request, **_):
            self.response.request, self.response.url = request, request.url
            return self.response

        def close(self):
            pass

    verdicts = iter([True, False])
    session = requests.Session()
    session.mount("http://", Again())
    resilient_session(session, retry_if=lambda _: next(verdicts), clock=clock, logger=None)
    response = session.get("http://origin.test/")
    assert (response.content, len(attempts_of(response))) == (b"kept", 2)
