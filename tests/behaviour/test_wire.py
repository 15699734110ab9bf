"""What comes over the wire: what belongs to a response, where it ends, and what is taken for a refusal."""

from __future__ import annotations

import gzip
import http.client
import io
import random
import shutil
import socket
import ssl
import threading

import pytest
import requests
import urllib3

from resilient_session import ChunkedEncodingError, ReadTimeout, attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply
from support.certificates import server_context


class Scripted:
    """A server that writes given bytes for each request, over TLS if it has a context."""

    def __init__(self, *answers, tls=None, after=None):
        self.answers = list(answers)
        self.connections = 0
        self.requests = []
        self._tls = tls
        self._after = after
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, path="/"):
        return f"http{'s' * bool(self._tls)}://127.0.0.1:{self._listener.getsockname()[1]}{path}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, plain):
        try:
            if self._tls is None:
                with plain:
                    self._answer(plain, plain)
                return
            below = plain.dup()
            with below, self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as sock:
                self._shake_hands(sock)
                self._answer(below, sock)
        except OSError:
            pass

    def _shake_hands(self, sock):
        try:
            sock.do_handshake()
        except ssl.SSLError:  # a reset would overtake the alert
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
            raise

    def _answer(self, plain, sock):
        reader = sock.makefile("rb")
        while line := reader.readline():
            length = 0
            while (field := reader.readline()).strip():
                if field.lower().startswith(b"content-length:"):
                    length = int(field.split(b":")[1])
            reader.read(length)
            self.requests.append(line.split()[0].decode())
            answer = self.answers.pop(0)
            if callable(answer):
                answer(plain, sock)
                return
            sock.sendall(answer)


def reply(body=b"", *, status=b"200 OK", head=b"", length=None):
    size = len(body) if length is None else length
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, size, head, body)


FORGED = reply(b"forged")
OK = reply(b"mine")


@pytest.fixture(params=["plain", "tls"])
def transport(request, server_tls):
    return server_tls if request.param == "tls" else None


LEFT_OVER = {
    "HEAD with a body": ("HEAD", reply(b"x" * 9) + FORGED),
    "HEAD with a body that is a response": ("HEAD", reply(length=len(FORGED)) + FORGED),
    "204 with a body": ("GET", reply(b"x" * 9, status=b"204 No Content")),
    "304 with a body": ("GET", reply(b"x" * 9, status=b"304 Not Modified")),
    "two responses for one request": ("GET", OK + FORGED),
    "more than its length": ("GET", reply(b"x" * 20000, length=5)),
    "more after the last chunk": (
        "GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n" + FORGED,
    ),
    "a length of nothing": ("GET", reply(b"x" * 9, length=0)),
}  # fmt: skip


@pytest.mark.parametrize("kind", LEFT_OVER)
@pytest.mark.parametrize("stream", [False, True])
def test_connection_with_something_unread_is_not_used_again(kind, stream, transport, bundle, clock):
    method, first = LEFT_OVER[kind]
    session = resilient_session(clock=clock, logger=None)
    with Scripted(first, OK, OK, tls=transport) as server:
        session.request(method, server.url(), verify=bundle, stream=stream).content  # noqa: B018
        for _ in range(2):
            assert session.post(server.url(), data="order", verify=bundle).text == "mine"
        assert server.connections == 2
    assert server.requests == [method, "POST", "POST"]


def test_connection_without_anything_unread_is_used_again(transport, bundle, clock):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n"
    with Scripted(OK, chunked, reply(b"x" * 99999), OK, reply(length=4), OK, tls=transport) as server:
        session = resilient_session(clock=clock, logger=None)
        for method in ("GET", "GET", "GET", "GET", "HEAD", "GET"):
            assert session.request(method, server.url(), verify=bundle).ok
        assert server.connections == 1


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize("odd", [b"", b"X-Odd:\tyes\r\nX-Odder: a\r\n b\r\n"])
@pytest.mark.parametrize("stream", [False, True])
def test_response_without_a_body_ends_with_its_head_whatever_that_announces(status, odd, stream, clock):
    head = b"HTTP/1.1 %s\r\n%s%s\r\n" % (status, CHUNKED, odd)
    session = resilient_session(clock=clock, logger=None, timeout=1)
    with Scripted(head, OK) as server:
        response = session.get(server.url(), stream=stream)
        assert (response.content, len(attempts_of(response))) == (b"", 1)
        assert session.get(server.url()).text == "mine"
        assert server.connections == 1


def corrupted(plain, sock):
    """Write plain bytes where a TLS record belongs."""
    plain.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def corrupted_body(plain, sock):
    sock.sendall(reply(b"part", length=99))
    plain.send(b"no record at all, and long enough for a header")


@pytest.mark.parametrize("fault", [corrupted, corrupted_body])
def test_record_that_is_broken_after_the_handshake_is_repeated(fault, server_tls, bundle, clock):
    session = resilient_session(clock=clock, logger=None)
    with Scripted(fault, OK, tls=server_tls) as server:
        response = session.get(server.url(), verify=bundle)
        assert (response.text, len(attempts_of(response))) == ("mine", 2)
    with Scripted(fault, OK, tls=server_tls) as server, pytest.raises(requests.RequestException) as caught:
        session.post(server.url(), verify=bundle)
    assert [one.verdict for one in attempts_of(caught.value)] == ["unsafe-method"]


def test_client_certificate_that_is_refused_after_the_request_is_not_repeated(authority, bundle, clock):
    asking = server_context(authority, "127.0.0.1")
    asking.verify_mode = ssl.CERT_REQUIRED
    asking.minimum_version = ssl.TLSVersion.TLSv1_3
    session = resilient_session(clock=clock, logger=None)
    with Scripted(OK, tls=asking) as server, pytest.raises(requests.ConnectionError) as caught:
        session.get(server.url(), verify=bundle)
    (attempt,) = attempts_of(caught.value)
    assert (attempt.cause, attempt.verdict) == ("certificate", "hopeless")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/mixed; boundary=b", "multipart/form-data", "message/rfc822", "message/http", "text/plain"],
)
@pytest.mark.parametrize(
    "hidden", [b"Content-Length: 100", b"Transfer-Encoding: chunked", b"Content-Encoding: gzip"]
)
@pytest.mark.parametrize("between", [b"", b"--b\r\n"])
def test_malformed_line_that_hides_where_the_body_ends_is_a_failure(content_type, hidden, between, clock):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nno colon\r\n%s%s\r\n\r\npart"
    broken = head % (content_type.encode(), between, hidden)

    def cut(plain, sock):
        sock.sendall(broken)

    session = resilient_session(clock=clock, logger=None)
    with Scripted(cut, OK) as server:
        assert session.get(server.url()).text == "mine"


def test_multipart_response_is_read_as_it_is(clock):
    body = b"--b\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\npart\r\n--b--\r\n"
    with Scripted(reply(body, head=b"Content-Type: multipart/mixed; boundary=b\r\n")) as server:
        assert resilient_session(clock=clock, logger=None).get(server.url()).content == body


class Growing(io.BytesIO):
    """A body that is longer, or shorter, when it is read again."""

    def __init__(self, first, later):
        super().__init__(first)
        self.later = later

    def change(self, *_):
        self.seek(0)
        self.truncate()
        self.write(self.later)
        self.seek(0)


@pytest.mark.parametrize("later", [b"an order and more", b"an", b""])
def test_body_in_memory_that_changed_is_not_sent_again(later, clock):
    body = Growing(b"an order", later)
    session = resilient_session(clock=clock, logger=None, retry_if=body.change)
    with FaultServer(Reply(503), Reply(200)) as server:
        response = session.put(server.url("/"), data=body)
    assert [request.body for request in server.requests] == [b"an order"]
    assert attempts_of(response)[-1].verdict == "unrepeatable-body"


@pytest.mark.parametrize("later", [b"an order and more", b"an", b"AN ORDER"])
def test_file_that_changed_is_not_sent_again(later, tmp_path, clock):
    path = tmp_path / "order"
    path.write_bytes(b"an order")
    session = resilient_session(clock=clock, logger=None, retry_if=lambda response: path.write_bytes(later) < 0)
    with FaultServer(Reply(503), Reply(200)) as server, path.open("rb") as body:
        response = session.put(server.url("/"), data=body)
    assert [request.body for request in server.requests] == [b"an order"]
    assert attempts_of(response)[-1].verdict == "unrepeatable-body"


def test_file_that_did_not_change_is_sent_again_from_where_it_stood(tmp_path, clock):
    path = tmp_path / "order"
    path.write_bytes(b"skip an order")
    session = resilient_session(clock=clock, logger=None)
    with FaultServer(Reply(503), Reply.reset(), Reply(200)) as server, path.open("rb") as body:
        body.seek(5)
        assert session.put(server.url("/"), data=body).ok
    assert [request.body for request in server.requests] == [b"an order"] * 3


def gzipped(size=5000):
    return gzip.compress(random.Random(1).randbytes(size))  # noqa: S311 - the same bytes each time


CHUNK = b"%x\r\n%s\r\n"
CUTS = {
    "gzip by length": reply(gzipped()[:-20], head=b"Content-Encoding: gzip\r\n"),
    "gzip in chunks": (
        b"HTTP/1.1 200 OK\r\n"
        + CHUNKED
        + b"Content-Encoding: gzip\r\n\r\n"
        + CHUNK % (900, gzipped()[:900])
        + b"0\r\n\r\n"
    ),
    "gzip until close": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzipped()[:-20],
    "chunks without an end": b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n" + CHUNK % (9, b"123456789"),
    "a chunk size that was cut behind its 0": (
        b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n" + CHUNK % (9, b"123456789") + b"0"
    ),
    "a length": reply(b"123456789", length=99),
}
READERS = {
    "read()": lambda raw: raw.read(decode_content=True),
    "read(-1)": lambda raw: raw.read(-1, decode_content=True),
    "read(n)": lambda raw: list(iter(lambda: raw.read(100, decode_content=True), b"")),
    "data": lambda raw: raw.data,
    "copyfileobj": lambda raw: shutil.copyfileobj(raw, io.BytesIO()),
    "readinto": lambda raw: list(iter(lambda: raw.readinto(bytearray(100)), 0)),
    "BufferedReader": lambda raw: io.BufferedReader(raw).read(),
    "lines": list,
    "stream": lambda raw: list(raw.stream(100, decode_content=True)),
}

HAS_READ1 = hasattr(urllib3.HTTPResponse, "read1")
if not HAS_READ1:  # old versions of urllib3, which take no negative size either
    del READERS["read(-1)"]


@pytest.mark.parametrize("kind", CUTS)
@pytest.mark.parametrize("reader", READERS)
def test_body_that_was_cut_is_never_whole_for_who_reads_raw(kind, reader, clock):
    def cut(plain, sock):
        sock.sendall(CUTS[kind])

    session = resilient_session(clock=clock, logger=None)
    with Scripted(cut) as server:
        response = session.get(server.url(), stream=True)
        response.raw.decode_content = True
        with pytest.raises((urllib3.exceptions.HTTPError, http.client.HTTPException)):
            READERS[reader](response.raw)
        response.close()


@pytest.mark.parametrize("reader", [*READERS, *(["read1"] if HAS_READ1 else [])])
@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
def test_whole_body_is_whole_for_who_reads_raw(reader, framing, clock):
    body = gzipped()
    heads = {"length": b"Content-Length: %d\r\n" % len(body), "chunks": CHUNKED, "close": b""}
    sent = CHUNK % (len(body), body) + b"0\r\n\r\n" if framing == "chunks" else body

    def whole(plain, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n%s\r\n" % heads[framing] + sent)

    read = {**READERS, "read1": lambda raw: list(iter(lambda: raw.read1(100), b""))}[reader]
    with Scripted(whole) as server:
        response = resilient_session(clock=clock, logger=None).get(server.url(), stream=True)
        response.raw.decode_content = True
        read(response.raw)
        response.close()


ITERATIONS = {
    "content": lambda response: response.content,
    "iter_content": lambda response: list(response.iter_content(10)),
    "iter_lines": lambda response: list(response.iter_lines()),
}


@pytest.mark.parametrize("kind", CUTS)
@pytest.mark.parametrize("reader", ITERATIONS)
def test_streamed_body_that_was_cut_raises_our_class_with_its_attempts(kind, reader, clock):
    def cut(plain, sock):
        sock.sendall(CUTS[kind])

    session = resilient_session(clock=clock, logger=None)
    with Scripted(reply(status=b"503 Busy"), cut) as server:
        response = session.get(server.url(), stream=True)
        with pytest.raises(ChunkedEncodingError) as caught:
            ITERATIONS[reader](response)
    assert isinstance(caught.value, urllib3.exceptions.HTTPError)
    assert [attempt.status for attempt in attempts_of(caught.value)] == [503, 200]


def test_streamed_body_that_stalls_raises_our_class_with_its_attempts(clock):
    session = resilient_session(clock=clock, logger=None, timeout=0.1)
    with FaultServer(Reply(200, "x" * 999, cut="body", by="stall")) as server:
        response = session.get(server.url("/"), stream=True)
        with pytest.raises(ReadTimeout) as caught:
            response.content  # noqa: B018
    assert len(attempts_of(caught.value)) == 1
