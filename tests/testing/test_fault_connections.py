"""What the faults look like from the other end of the wire."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import time

import pytest
import requests

from resilient_session.testing import FaultServer, Reply, black_hole, refused_url

POST = b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"


def test_before_is_after_the_request_and_before_any_byte(connect):
    with FaultServer(Reply(cut="before", interim=[100], delay=0.01)) as server:
        assert connect(server).send(POST).rest() == b""
        (request,) = server.requests
        assert (request.complete, request.reply_started) == (True, None)


def test_a_cut_head_ends_inside(connect):
    with FaultServer(Reply(cut="head"), Reply(cut="head", after=12)) as server:
        assert connect(server).send().rest() == Reply().wire_head("GET")[: len(Reply().wire_head("GET")) // 2]
        assert connect(server).send().rest() == b"HTTP/1.1 200"


@pytest.mark.parametrize("framing", ["length", "chunked", "close", "none"])
def test_a_cut_body_ends_inside(connect, framing):
    reply = Reply(200, "hello world", framing=framing, cut="body", after=5)
    with FaultServer(reply) as server:
        client = connect(server).send()
        client.until(b"\r\n\r\n")
        assert client.rest() == reply.wire_body("GET")[:5]


def test_a_reset_is_an_error_and_no_end(connect):
    with FaultServer(Reply.reset(), Reply(200, "hello", cut="body", by="reset")) as server:
        with pytest.raises(ConnectionResetError):
            connect(server).send().rest()
        client = connect(server).send()
        assert client.until(b"he")
        with pytest.raises(ConnectionResetError):
            client.rest()


@pytest.mark.parametrize(
    ("cut", "mark"),
    [
        ("before", None),
        ("request", None),
        ("head", b"HTTP/1.1 200 OK\r\nCo"),
        ("body", b"\r\n\r\nhe"),
        ("end", b"hello"),
    ],
)
def test_a_stall_is_silence_until_the_client_goes(connect, cut, mark):
    with FaultServer(Reply(200, "hello", cut=cut, by="stall")) as server:
        client = connect(server).send()
        if mark:
            client.until(mark)
        assert client.silent()
        client.sock.close()
        assert server.wait_closed()


@pytest.mark.parametrize("by", ["close", "reset"])
def test_an_end_leaves_a_stale_connection(by):
    with FaultServer(Reply(200, "hello", cut="end", by=by), Reply(200, "never")) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/")
        response = connection.getresponse()
        assert (response.read(), response.will_close) == (b"hello", False)
        assert server.wait_closed()
        with contextlib.closing(connection), pytest.raises(ConnectionError):  # noqa: PT012 - either may fail
            connection.request("POST", "/", body=b"x")
            connection.getresponse()


def test_an_unread_request_ends_in_order_or_not(connect):
    with FaultServer(Reply(cut="request"), Reply(cut="request", by="reset")) as server:
        assert connect(server).send(POST).rest() == b""
        with pytest.raises(ConnectionResetError):
            connect(server).send(POST).rest()
        assert server.requests == ()
        assert server.connections == 2


def test_a_request_read_in_part_is_recorded_when_its_head_is_in(connect):
    with FaultServer(Reply(cut="request", after=len(POST) - 7), Reply(cut="request", after=9)) as server:
        assert connect(server).send(POST).rest() == b""
        assert connect(server).send(POST).rest() == b""
        (request,) = server.requests
    assert (request.body, request.complete, request.reply.cut) == (b"012", False, "request")


def test_a_request_read_as_a_whole_is_cut_all_the_same(connect):
    with FaultServer(default=Reply(cut="request", after=1000)) as server:
        assert connect(server).send(POST + POST).rest() == b""
        (request,) = server.requests
        assert (request.body, request.complete, server.effects()) == (b"0123456789", True, 0)


def test_a_pipelined_request_is_cut_where_asked(connect):
    with FaultServer(Reply(), Reply(cut="request", after=len(POST) - 7)) as server:
        connect(server).send(POST + POST).rest()
        assert [request.body for request in server.requests] == [b"0123456789", b"012"]


def test_a_route_reads_the_head_before_it_cuts_the_request(connect):
    with FaultServer() as server:
        server.route("/", Reply(cut="request"))
        assert connect(server).send(POST).rest() == b""
        (request,) = server.requests
        assert (request.complete, request.body) == (False, b"")


def test_a_function_cuts_after_the_request(connect):
    with FaultServer(lambda _: Reply(cut="request")) as server:
        assert connect(server).send(POST).rest() == b""
        assert server.requests[0].complete


@pytest.mark.parametrize("head", [POST[:-10], b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_an_answer_may_come_without_the_request_being_read(connect, head):
    with FaultServer(Reply(413, read_request=False)) as server:
        answer = connect(server).send(head).rest()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"Connection: close" in answer
        assert not server.requests[0].complete


def test_an_unread_request_without_a_body_is_complete(connect):
    with FaultServer(Reply(read_request=False, cut="end", by="reset")) as server:
        client = connect(server).send()
        client.until(b"\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.rest()
        assert server.requests[0].complete


def test_an_answer_may_be_late(connect):
    with FaultServer(Reply(delay=0.05)) as server:
        client = connect(server).send()
        client.until(b"\r\n\r\n")
        (request,) = server.requests
        assert request.reply_started - request.time >= 0.05


def test_a_client_that_does_not_wait_for_a_late_answer_is_forgotten(connect):
    with FaultServer(Reply(delay=60)) as server:
        connect(server).send().sock.close()
        assert server.wait_closed()


def test_interim_answers_come_first(connect):
    with FaultServer(Reply(200, "ok", interim=[102, (103, {"Link": "x"})])) as server:
        client = connect(server).send()
        assert client.until(b"\r\n\r\n") == b"HTTP/1.1 102 Processing\r\n\r\n"
        assert client.until(b"\r\n\r\n") == b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        assert client.until(b"ok").startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(("interim", "line"), [((), b"100 Continue"), ((102,), b"102 Processing")])
def test_interim_answers_may_never_end(connect, interim, line):
    with FaultServer(Reply(interim=interim, endless="interim")) as server:
        client = connect(server).send()
        for _ in range(100):
            assert client.until(b"\r\n\r\n") == b"HTTP/1.1 %s\r\n\r\n" % line


@pytest.mark.parametrize(
    ("framing", "block"),
    [("chunked", b"5\r\nhello\r\n"), ("length", b"hello"), ("close", b"hello"), ("none", b"hello")],
)
def test_a_body_may_never_end(connect, framing, block):
    with FaultServer(Reply(200, "hello", endless=True, framing=framing)) as server:
        client = connect(server).send()
        client.until(b"\r\n\r\n")
        for _ in range(1000):
            assert client.until(block) == block
        client.sock.close()
        assert server.wait_closed()


def test_an_endless_body_of_nothing_is_filled(connect):
    with FaultServer(Reply(endless=True)) as server:
        client = connect(server).send()
        client.until(b"\r\n\r\n")
        assert client.until(b"\r\n") == b"400\r\n"


def test_head_gets_no_endless_body(connect):
    with FaultServer(Reply(endless=True)) as server:
        client = connect(server).send(b"HEAD / HTTP/1.1\r\n\r\n")
        client.until(b"\r\n\r\n")
        assert client.silent()


@pytest.mark.parametrize(("part", "slow"), [("head", 40), ("body", 20), ("both", 60)])
def test_an_answer_may_drip(connect, part, slow):
    reply = Reply(200, "x" * 20, drip=0.002, drip_part=part, raw=None)
    with FaultServer(reply) as server:
        began = time.monotonic()
        connect(server).send().until(b"x" * 20)
        assert time.monotonic() - began >= 0.002 * min(slow, len(reply.wire_head("GET")) + 20)


def test_a_drip_of_zero_is_none(connect):
    with FaultServer(Reply(200, "x" * 10**6, drip=0)) as server:
        assert connect(server).send().until(b"x" * 10**6)


def test_a_dripping_answer_may_be_cut(connect):
    with FaultServer(Reply(200, "hello", drip=0.001, cut="body", after=2), Reply(drip=0.001, cut="end")) as server:
        assert connect(server).send().rest().endswith(b"\r\n\r\nhe")
        assert connect(server).send().rest().endswith(b"\r\n\r\n")


def test_a_lying_length_changes_nothing_else(connect):
    with FaultServer(Reply(200, "abc", length=10, cut="end"), Reply(200, "abc", length="-5")) as server:
        assert connect(server).send().rest().endswith(b"Content-Length: 10\r\n\r\nabc")
        assert b"Content-Length: -5\r\n" in connect(server).send().until(b"abc")


def test_a_body_without_framing_waits_for_an_end_that_does_not_come(connect):
    with FaultServer(Reply(200, "abc", framing="none")) as server:
        client = connect(server).send()
        assert client.until(b"abc") == b"HTTP/1.1 200 OK\r\n\r\nabc"
        assert client.silent()


def test_a_truncated_gzip_body_fails_only_in_its_decoder(connect):
    reply = Reply(200, "hello", encoding="gzip", truncate=8)
    with FaultServer(reply) as server:
        client = connect(server).send()
        client.until(b"\r\n\r\n")
        assert client.until(reply.wire_body("GET")) == reply.wire_body("GET")


def test_nonsense_can_be_sent(connect):
    with FaultServer(Reply(raw=b"220 smtp ready\r\n", cut="end")) as server:
        assert connect(server).send().rest() == b"220 smtp ready\r\n"


def test_an_answer_may_be_as_short_as_nothing(connect):
    with FaultServer(Reply(raw=b"", cut="end")) as server:
        assert connect(server).send().rest() == b""


@pytest.mark.parametrize("handshake", ["close", "reset", "stall"])
def test_a_connection_may_break_at_its_first_byte(connect, handshake):
    with FaultServer(handshakes=["ok", handshake]) as server:
        connect(server).send().until(b"ok")
        client = connect(server).send()
        if handshake == "close":
            assert client.rest() == b""
        elif handshake == "reset":
            with pytest.raises(ConnectionResetError):
                client.rest()
        else:
            assert client.silent()
        connect(server).send().until(b"ok")
        assert len(server.requests) == 2
        assert server.connections == 3


def fetch(server, tls, body=None):
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=tls)
    try:
        connection.request("POST" if body else "GET", "/", body=body)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_tls_serves(server_tls, client_tls):
    with FaultServer(Reply(200, "x" * 10**6), Reply(200, "two", keep_alive=False), tls=server_tls) as server:
        assert server.origin == f"https://127.0.0.1:{server.port}"
        assert fetch(server, client_tls, b"y" * 10**6) == b"x" * 10**6
        assert fetch(server, client_tls) == b"two"
        assert server.requests[0].body == b"y" * 10**6
        assert server.wait_closed()


@pytest.mark.parametrize("handshake", ["close", "reset"])
def test_a_handshake_may_break(server_tls, client_tls, handshake):
    with FaultServer(tls=server_tls, handshakes=[handshake]) as server:
        with pytest.raises(OSError):  # noqa: PT011 - which one is up to OpenSSL
            fetch(server, client_tls)
        assert fetch(server, client_tls) == b"ok"
        assert len(server.requests) == 1


def test_a_handshake_may_stall(server_tls, client_tls, connect):
    with FaultServer(tls=server_tls, handshakes=["stall"]) as server:
        sock = connect(server).sock
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client_tls.wrap_socket(sock, server_hostname="127.0.0.1")


def test_a_client_that_distrusts_the_server_reaches_nothing(server_tls):
    with FaultServer(tls=server_tls) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            fetch(server, ssl.create_default_context())
        assert server.wait_closed()
        assert (server.requests, server.errors, server.connections) == ((), (), 1)


def test_tls_can_be_cut_everywhere(server_tls, client_tls):
    body = "hello"
    with FaultServer(
        Reply(cut="request"),
        Reply(cut="before"),
        Reply(cut="head"),
        Reply(200, body, cut="body"),
        Reply(200, body, cut="end", by="reset"),
        tls=server_tls,
    ) as server:
        for error in (OSError, OSError, None, http.client.IncompleteRead):
            if error is None:
                assert fetch(server, client_tls) == b""
                continue
            with pytest.raises(error):
                fetch(server, client_tls, b"0123456789")
        assert fetch(server, client_tls) == b"hello"
        assert len(server.requests) == 4


def test_an_orderly_end_is_told_in_tls(server_tls, client_tls, connect):
    with FaultServer(
        Reply(200, "hello", framing="close"), Reply(200, "hello", cut="end"), tls=server_tls
    ) as server:
        for orderly in (True, False):
            client = connect(server)
            with client_tls.wrap_socket(
                client.sock, server_hostname="127.0.0.1", suppress_ragged_eofs=False
            ) as client.sock:
                client.send().until(b"hello")
                if orderly:
                    assert client.rest() == b""
                else:
                    with pytest.raises(ssl.SSLEOFError):
                        client.rest()


def test_closing_breaks_a_tls_connection_and_its_handshake(server_tls, client_tls, connect):
    server = FaultServer(Reply.stall(), tls=server_tls).start()
    connect(server)
    client = connect(server)
    with client_tls.wrap_socket(client.sock, server_hostname="127.0.0.1") as client.sock:
        client.send()
        assert server.wait_requests(1)
        server.close()
        assert server.wait_closed()


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("secure", [True, False])
def test_a_proxy_opens_a_tunnel_to_itself(server_tls, client_tls, connect, secure, version):
    tls = server_tls if secure else None
    with FaultServer(Reply(502), Reply(200), Reply(200, "inside"), tls=tls, tunnel=True) as server:
        assert server.origin.startswith("http://")
        client = connect(server).send(b"CONNECT example.com:443 HTTP/1.1\r\n\r\n")
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 502 ")
        client.send(b"CONNECT example.com:443 HTTP/%s\r\n\r\n" % version)
        assert client.until(b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\n\r\n"
        if secure:
            client.sock = client_tls.wrap_socket(client.sock, server_hostname="localhost")
        with client.sock:
            assert client.send().until(b"inside")
        assert [request.method for request in server.requests] == ["CONNECT", "CONNECT", "GET"]


def test_a_refused_url_is_refused():
    with refused_url("/a") as url, pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(url, timeout=5)
    assert url.endswith("/a")


def test_a_black_hole_answers_no_connect():
    with black_hole() as url:
        for _ in range(3):
            with pytest.raises(requests.ConnectTimeout):
                requests.get(url, timeout=(0.05, 5))
