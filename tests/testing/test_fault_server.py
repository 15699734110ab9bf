"""What the server answers to whom, and what it remembers."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from resilient_session.testing import FaultServer, RecordedHeaders, Reply


@pytest.fixture
def session():
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_replies_come_in_order_and_then_the_default(session):
    with FaultServer(Reply(503), Reply(200, "hello"), default=Reply(404)) as server:
        assert [session.get(server.url()).status_code for _ in range(4)] == [503, 200, 404, 404]


def test_the_default_default_is_ok(session):
    with FaultServer() as server:
        assert session.get(server.url()).text == "ok"


def test_script_appends(session):
    with FaultServer(Reply(503)) as server:
        server.script(Reply(502), Reply(504))
        assert [session.get(server.url()).status_code for _ in range(4)] == [503, 502, 504, 200]


def test_a_route_has_its_own_script_whose_last_reply_repeats(session):
    with FaultServer(Reply(503)) as server:
        server.route("/a", Reply(500), Reply(201))
        assert [session.get(server.url("/a?b=/c")).status_code for _ in range(3)] == [500, 201, 201]
        assert session.get(server.url("/b")).status_code == 503


def test_a_function_sees_the_request_and_decides(session):
    with FaultServer(default=lambda request: Reply(200, request.body[::-1])) as server:
        server.route("/number", lambda request: Reply(200, str(request.number)))
        assert session.post(server.url(), data="abc").text == "cba"
        assert session.get(server.url("/number")).text == "2"


def test_a_request_is_recorded(session):
    with FaultServer() as server:
        before = time.monotonic()
        session.post(server.url("/a/b?c=d&e"), json={"x": 1}, headers={"X-Id": "7"})
        (request,) = server.requests
    assert (request.number, request.connection, request.method) == (1, 1, "POST")
    assert (request.target, request.path, request.query) == ("/a/b?c=d&e", "/a/b", "c=d&e")
    assert request.headers["x-id"] == request.headers.get("X-ID") == "7"
    assert request.json() == {"x": 1}
    assert request.complete
    assert request.raw.startswith(b"POST /a/b?c=d&e HTTP/1.1\r\n")
    assert request.raw.endswith(request.body)
    assert before <= request.time <= request.reply_started <= time.monotonic()
    assert request.reply == Reply(200, "ok")


def test_a_chunked_request_is_decoded_and_its_bytes_kept(session):
    with FaultServer() as server:
        session.post(server.url(), data=iter([b"ab", b"cde"]))
        (request,) = server.requests
    assert request.body == b"abcde"
    assert request.raw.endswith(b"\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")
    assert request.complete


def test_chunk_extensions_and_trailers_are_no_part_of_the_body(fault_server, connect):
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    connect(fault_server).send(head + b"2;a=b\r\nab\r\n0\r\nTrailer: 1\r\n\r\n").until(b"ok")
    assert fault_server.requests[0].body == b"ab"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://example.com/a?b", "/a"),
        ("http://example.com", "/"),
        ("/to/http://example.com/a", "/to/http://example.com/a"),
        ("/?to=http://example.com/a", "/"),
        ("*", "*"),
        ("example.com:443", "example.com:443"),
    ],
)
def test_the_path_is_found_in_every_form_of_target(fault_server, connect, target, path):
    connect(fault_server).send(f"GET {target} HTTP/1.1\r\n\r\n".encode()).until(b"ok")
    assert fault_server.requests[0].path == path


def test_headers_look_up_in_any_case_and_keep_what_came():
    headers = RecordedHeaders((("A", "1"), ("b", "2"), ("a", "3")))
    assert dict(headers) == {"A": "1, 3", "b": "2"}
    assert (len(headers), headers.get_all("A"), headers.get("c")) == (2, ["1", "3"], None)
    assert "B" in headers
    assert 5 not in headers
    assert repr(headers) == "RecordedHeaders((('A', '1'), ('b', '2'), ('a', '3')))"
    with pytest.raises(KeyError):
        headers["c"]


def test_connections_are_counted_and_kept_alive(session):
    with FaultServer(Reply(), Reply(), Reply(keep_alive=False)) as server:
        for _ in range(4):
            session.get(server.url())
        assert server.connections == 2
        assert [request.connection for request in server.requests] == [1, 1, 1, 2]
        assert not server.wait_closed(timeout=0.01)
        session.close()
        assert server.wait_closed()
        assert server.open_connections == 0


def test_wait_closed_tells_of_a_leak(fault_server, connect):
    connect(fault_server).send().until(b"ok")
    assert not fault_server.wait_closed(timeout=0.01)


def test_pipelined_requests_are_answered_in_order(connect):
    with FaultServer(Reply(200, "one."), Reply(200, "two.")) as server:
        client = connect(server).send(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")
        assert client.until(b"one.").startswith(b"HTTP/1.1 200")
        assert client.until(b"two.").startswith(b"HTTP/1.1 200")
        assert [request.path for request in server.requests] == ["/1", "/2"]


@pytest.mark.parametrize("head", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"])
def test_a_client_that_wants_to_close_gets_the_end(fault_server, connect, head):
    assert connect(fault_server).send(head).rest().endswith(b"ok")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / FTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_request_is_answered_with_400(fault_server, connect, data):
    assert connect(fault_server).send(data).rest().startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_client_that_sends_nonsense_and_goes_away_is_forgotten(fault_server, connect):
    fault_server.script(Reply(200, endless=True))
    client = connect(fault_server).send(b"nonsense\r\n\r\n" * 3)
    client.sock.close()
    assert fault_server.wait_closed()


def test_a_request_that_breaks_off_is_recorded_as_incomplete(fault_server, connect):
    client = connect(fault_server).send(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
    client.sock.close()
    assert fault_server.wait_closed()
    (request,) = fault_server.requests
    assert (request.complete, request.body, request.raw[-7:]) == (False, b"abc", b"\r\n\r\nabc")
    assert fault_server.effects() == 0


def test_a_client_that_expects_leave_gets_it(fault_server, connect):
    client = connect(fault_server).send(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"abc").until(b"ok")
    assert fault_server.requests[0].body == b"abc"


def test_effects_counts_complete_requests_that_were_not_refused(session):
    replies = [Reply(503), Reply(200), Reply.reset(), Reply(503, acts=True), Reply(acts=False)]
    with FaultServer(*replies) as server:
        for _ in replies:
            with contextlib.suppress(requests.RequestException):
                session.post(server.url(), data="x")
        session.get(server.url())
        assert server.effects() == 3
        assert server.effects("GET") == 1


def test_urls_can_name_host_and_user(fault_server):
    port = fault_server.port
    assert fault_server.origin == f"http://127.0.0.1:{port}"
    assert fault_server.url("/a", host="localhost", userinfo="me:secret") == f"http://me:secret@localhost:{port}/a"
    assert fault_server.url(host="::1") == f"http://[::1]:{port}/"


def test_an_ipv6_address_can_be_served(session):
    try:
        server = FaultServer(host="::1").start()
    except OSError:
        pytest.skip("no IPv6 on loopback")
    with contextlib.closing(server):
        assert session.get(server.url()).text == "ok"


def test_a_server_that_was_not_started_has_no_port_and_can_be_closed():
    server = FaultServer()
    with pytest.raises(RuntimeError, match="the FaultServer is not started"):
        _ = server.port
    server.close()


def test_start_and_close_do_without_a_block(session):
    server = FaultServer().start()
    assert session.get(server.url()).text == "ok"
    with pytest.raises(RuntimeError, match="started once"):
        server.start()
    server.close()
    server.close()
    with pytest.raises(requests.ConnectionError):
        session.get(server.url())
    server.accept()
    assert len(server.requests) == 1


def test_a_taken_address_is_an_error():
    with pytest.raises(OSError):  # noqa: PT011 - its text is the system's
        FaultServer(host="192.0.2.1").start()


def test_refusing_refuses_and_then_accepts_on_the_same_port(session):
    with FaultServer() as server:
        url = server.url()
        with server.refusing():
            server.refuse()
            with pytest.raises(requests.ConnectionError, match="refused"):
                session.get(url)
        server.accept()
        assert session.get(url).text == "ok"
        assert server.connections == 1


def test_open_connections_outlive_a_refusal(session):
    with FaultServer() as server:
        session.get(server.url())
        with server.refusing():
            assert session.get(server.url()).text == "ok"


def test_a_server_can_be_closed_while_it_refuses(session):
    with FaultServer() as server:
        server.refuse()
    with pytest.raises(requests.ConnectionError):
        session.get(server.url())


def test_drop_idle_closes_what_waits_and_spares_what_works(connect):
    with FaultServer(Reply(), Reply(delay=30)) as server:
        idle = connect(server).send()
        idle.until(b"\r\n\r\n")
        busy = connect(server).send()
        assert server.wait_requests(2)
        server.drop_idle()
        assert idle.rest() == b""
        assert server.open_connections == 1
        assert busy.silent()
        with pytest.raises(ConnectionError):
            idle.send().send().send()


def test_drop_idle_waits_for_an_answer_that_is_on_its_way(session):
    with FaultServer(default=Reply(200, "x" * 1000)) as server:
        for count in range(1, 30):
            session.get(server.url())
            server.drop_idle()
            assert (server.open_connections, server.connections) == (0, count)


def test_a_connect_that_succeeded_is_counted_at_once(fault_server, connect):
    for count in range(1, 50):
        connect(fault_server)
        assert fault_server.connections == fault_server.open_connections == count


def test_a_connect_that_succeeded_before_a_refusal_is_served(fault_server, connect):
    for _ in range(20):
        client = connect(fault_server)
        with fault_server.refusing():
            client.send().until(b"ok")


def test_a_server_that_is_not_started_has_no_connections():
    server = FaultServer()
    assert (server.connections, server.open_connections, server.wait_closed()) == (0, 0, True)


def test_wait_requests_tells_whether_they_came(fault_server, connect):
    connect(fault_server).send()
    assert fault_server.wait_requests(1)
    assert not fault_server.wait_requests(2, timeout=0.01)


@pytest.mark.parametrize(
    "reply", [Reply.stall(), Reply(delay=60), Reply(endless=True), Reply(interim=[100], drip=9)]
)
def test_closing_is_quick_whatever_goes_on(connect, reply):
    server = FaultServer(default=reply).start()
    clients = [connect(server).send() for _ in range(8)]
    assert server.wait_requests(8)
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < 5
    assert server.wait_closed()
    del clients


def test_closing_does_not_wait_for_a_function_that_hangs(connect):
    leave = threading.Event()
    server = FaultServer(lambda _: Reply(200) if leave.wait(30) else Reply(500)).start()
    connect(server).send()
    assert server.wait_requests(1)
    server.close()
    assert server.open_connections == 1
    leave.set()
    assert server.wait_closed()


def broken(_request):
    raise LookupError("no such thing")


def test_what_a_function_raises_is_answered_with_500_and_raised_at_the_end(session):
    server = FaultServer(broken).start()
    response = session.get(server.url())
    assert (response.status_code, response.text) == (500, "LookupError in a scripted function")
    assert [type(error) for error in server.errors] == [LookupError]
    with pytest.raises(LookupError, match="no such thing"):
        server.close()
    server.close()


def test_a_block_raises_what_a_function_raised(session):
    with pytest.raises(LookupError), FaultServer(broken) as server:
        session.get(server.url())


def test_an_exception_on_its_way_has_precedence(session):
    with pytest.raises(ZeroDivisionError), FaultServer(broken) as server:  # noqa: PT012 - that both raise is the case
        session.get(server.url())
        raise ZeroDivisionError


def test_a_function_that_returns_no_reply_is_an_error(session):
    with (
        pytest.raises(TypeError, match="must return a Reply, not None"),
        FaultServer(lambda _: None) as server,
    ):
        session.get(server.url())


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: FaultServer(200), TypeError, "script must be a Reply or a function"),
        (lambda: FaultServer(default=None), TypeError, "default must be a Reply or a function"),
        (lambda: FaultServer(handshakes=["maybe"]), ValueError, "handshakes must be one of 'ok'"),
        (lambda: FaultServer().script("x"), TypeError, "script must be a Reply or a function"),
        (lambda: FaultServer().route("/a", 5), TypeError, "route must be a Reply or a function"),
        (lambda: FaultServer().route("/a"), ValueError, "route '/a' must have at least one reply"),
        (lambda: FaultServer().route("a", Reply()), ValueError, "path must begin with a slash"),
        (lambda: FaultServer().route("/a?b", Reply()), ValueError, "path must begin with a slash"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)


def test_many_clients_at_once_get_an_answer_each():
    with FaultServer(default=lambda request: Reply(200, request.path)) as server:

        def fetch(number):
            with requests.Session() as session:
                session.trust_env = False
                return [session.get(server.url(f"/{number}")).text for _ in range(3)]

        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(fetch, range(64)))
        assert answers == [[f"/{number}"] * 3 for number in range(64)]
        assert [request.number for request in server.requests] == list(range(1, 193))
        assert server.connections == 64
        assert server.wait_closed()
